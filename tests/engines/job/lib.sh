# Read by the scenarios: each is a list of `promise`s, told in TAP. RUNTIME is the runtime's path, NAME its name.

number=0
only=$(cat /job/only 2>/dev/null || true)

# promise WORDS…: the function of the same name, spaces as underscores, holds. What it printed follows when not, and is
# in $LOGS while it runs. A file /job/only has a pattern of those that are wanted, beside those that others build on.
# In a process of its own that ends at the first command that fails, with a deadline: some 100 s is what the longest takes,
# emulated on a quiet host.
promise() {
    local words=$* status=0 start=$SECONDS
    [ -z "$only" ] || [[ $words =~ $only|answers$|images\ come ]] || return 0
    number=$((number + 1))
    local said=$LOGS/$NAME/$engine-$(printf %02d "$number")-${words// /-}
    export -f "${words// /_}"
    timeout -k 10 "${DEADLINE:-600}" bash -euxo pipefail -c "source /job/lib.sh; source /job/$engine.env; ${words// /_}" \
        >"$said" 2>&1 </dev/null || status=$?
    case $status in
        0) echo "ok $number - $words # $((SECONDS - start)) s" ;;
        77) echo "ok $number - $words # SKIP $(tail -n 1 "$said")" ;;
        *)
            echo "not ok $number - $words # $((SECONDS - start)) s, exit status $status"
            sed 's/^/  | /' "$said" | tail -n 60
            ;;
    esac
}

plan() { echo "1..$number"; }

# equal EXPECTED FOUND
equal() { [ "$1" = "$2" ] || { printf 'expected: %q\nfound:    %q\n' "$1" "$2" && return 1; }; }

# within EXPECTED-PART FOUND
within() { [[ $2 == *"$1"* ]] || { printf 'expected within: %q\nfound:           %q\n' "$1" "$2" && return 1; }; }

# ends STATUS COMMAND…: it exits with that status.
ends() {
    local expected=$1 status=0
    shift
    "$@" || status=$?
    equal "$expected" "$status"
}

fails() { if "$@"; then echo "should have failed: $*" && return 1; fi; }

# until_true COMMAND…: tried until it succeeds, 120 s at most: emulated, on a busy host.
until_true() {
    local end=$((SECONDS + 120))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { echo "never came true: $*" && return 1; }
        sleep 0.3
    done
}

skip() { echo "$*" && exit 77; }
