#!/bin/bash
# The validation programs on this host, far faster than in the emulated machine: as root, in mount and process
# namespaces that end with them. Not for linux_cgroups_*, nor for what this host lacks (CAP_SYS_RESOURCE, AppArmor).
#
# usage: unshare -m -p -f --mount-proc --propagation private tests/engines/native.sh NAME RUNTIME OUT [TEST…]
set -u
here=$(cd "$(dirname "$0")/../.." && pwd)
name=${1:?usage: native.sh NAME RUNTIME OUT [TEST…]} RUNTIME=$(realpath -s "${2:?}") out=${3:?}
shift 3
mkdir -p "$out"
out=$(realpath "$out")
export RUNTIME TMPDIR=/tmp
# A host's mounts are none of a test's business.
if [ "$(findmnt -no PROPAGATION /)" != private ]; then
    echo "native.sh: the root's mounts are shared; run it under unshare, as its usage says" >&2
    exit 2
fi
cd "$here/build/engines/suites/validation" || exit 2
mount -t tmpfs tmpfs /run || exit 2
if [ "$#" -eq 0 ]; then
    for test in *.t; do
        [[ $test == linux_cgroups_* ]] || set -- "$@" "${test%.t}"
    done
fi
for test in "$@"; do
    log=$out/$test status=0 word=ok
    timeout -k 5 60 "./$test.t" >"$log.tap" 2>"$log.err" </dev/null || status=$?
    # The same as in tests/engines/job/run.
    if [ "$status" -ne 0 ] || grep '^not ok' "$log.tap" | grep -qv '# TODO' ||
        { ! grep -q '^ok' "$log.tap" && grep -q '"error"' "$log.tap"; }; then
        word=not-ok
    elif grep -q '^ok' "$log.tap" && ! grep '^ok' "$log.tap" | grep -qv '# SKIP'; then
        word=skip
    fi
    echo "validation $name $word $test ($(grep -c '^ok' "$log.tap") of $(grep -c -e '^ok' -e '^not ok' "$log.tap"), exit $status)"
done | tee "$out/results"
