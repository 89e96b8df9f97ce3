#!/bin/bash
# Other runtimes' own tests on this host, as root, in mount and process namespaces that end with them. What they need of
# cgroup v2, devices and packages this host may not have; docs/conformance.md says what failed and why.
#
# usage: unshare -m -p -f --mount-proc --propagation private tests/engines/theirs.sh SUITE NAME RUNTIME SOURCES OUT [TEST…]
#   contest   SOURCES has contest, runtimetest and bundle.tar.gz of youki, as its `just contest` builds them
#   crun      SOURCES is crun's checkout with tests/init built (`make tests/init`); TEST is a file test_*.py
#   bats      SOURCES is runc's checkout, after `make test-binaries` and with testdata's images; TEST is a file *.bats
# RUNTIME is a file by the name orlop-oci, and no link: contest asks for what a link leads to.
set -u
suite=${1:?usage: theirs.sh SUITE NAME RUNTIME SOURCES OUT [TEST…]} name=${2:?} runtime=$(realpath -s "${3:?}") sources=${4:?} out=${5:?}
shift 5
mkdir -p "$out"
out=$(realpath "$out")
export TMPDIR=/tmp PYTHONDONTWRITEBYTECODE=1
if [ "$(findmnt -no PROPAGATION /)" != private ]; then
    echo "theirs.sh: the root's mounts are shared; run it under unshare, as its usage says" >&2
    exit 2
fi
case $suite in
    contest) cd "$sources" && all=$(./contest list) ;;
    crun) cd "$sources/tests" && all=$(ls test_*.py) ;;
    bats) cd "$sources/tests/integration" && all=$(ls ./*.bats) ;;
    *) echo "theirs.sh: $suite is none of contest, crun and bats" >&2 && exit 2 ;;
esac || exit 2
mount -t tmpfs tmpfs /run || exit 2
[ "$#" -gt 0 ] || read -ra all <<<"${all//$'\n'/ }"
[ "$#" -gt 0 ] || set -- "${all[@]}"

# Into the file of its name, in the words of the suite.
run() {
    case $suite in
        contest) RUNTIME_KIND=runc timeout -k 10 "${SECONDS_EACH:-300}" ./contest run --runtime "$runtime" --runtimetest "$PWD/runtimetest" -t "$1" ;;
        crun) INIT=$PWD/init OCI_RUNTIME=$runtime timeout -k 10 "${SECONDS_EACH:-300}" python3 "$1" ;;
        # Its tests of terminals want one.
        bats) RUNC=$runtime timeout -k 10 "${SECONDS_EACH:-900}" script -qec "bats --tap $1" /dev/null < <(exec sleep infinity) | tr -d '\r' ;;
    esac
}

for test in "$@"; do
    # Nobody saves processes here, and nothing of cgroup v1 is done.
    case $test in cgroup_v1* | checkpoint* | *test_checkpoint* | ./checkpoint.bats) continue ;; esac
    log=$out/$(basename "$test")
    run "$test" >"$log.out" 2>"$log.err" </dev/null
    # TAP, and contest's `1 / 2 : name : not ok`.
    sed -nE "s/^(ok|not ok) [0-9]+ -? ?(.*)/\1 \2/p; s|^[0-9]+ / [0-9]+ : (.*) : (ok\|not ok\|skipped).*|\2 \1|p" "$log.out" |
        while read -r word rest; do
            [ "$word" != not ] || word=not-ok rest=${rest#ok }
            [[ ! ${rest,,} =~ \#\ ?skip ]] || word=skip
            [ "$word" != skipped ] || word=skip
            echo "$suite $name $word $(basename "$test"): ${rest%% #*}"
        done
done | tee "$out/results"
