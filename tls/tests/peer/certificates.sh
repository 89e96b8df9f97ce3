# Makes authorities and certificates in this folder: NAME.pem and NAME.key each.
set -eu
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout "$1.key" -out "$1.pem"
}
# certificate NAME KIND-OF-KEY BEGIN END NAMES
certificate() {
    openssl req -newkey $2 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
    printf '%s\n' "subjectAltName=$5" "basicConstraints=CA:FALSE" >"$1.ext"
    : >index
    openssl ca -batch -notext -create_serial -md sha256 -config ca.conf -cert ca.pem -keyfile ca.key \
        -startdate "$3" -enddate "$4" -extfile "$1.ext" -in "$1.csr" -out "$1.pem"
}
cat >ca.conf <<'END'
[ca]
default_ca = here
[here]
database = index
new_certs_dir = .
policy = any
serial = serial
unique_subject = no
[any]
commonName = supplied
END
authority ca
authority stranger
ec='ec -pkeyopt ec_paramgen_curve:P-256'
names=DNS:collector.example,DNS:localhost,IP:127.0.0.1,IP:10.0.2.2
now=$(date -u +%Y%m%d000000Z -d yesterday)
certificate good "$ec" "$now" 20490101000000Z "$names"
certificate rsa rsa:2048 "$now" 20490101000000Z "$names"
certificate other "$ec" "$now" 20490101000000Z DNS:other.example
certificate old "$ec" 20200101000000Z 20210101000000Z "$names"
certificate early "$ec" 20480101000000Z 20490101000000Z "$names"
certificate machine "$ec" "$now" 20490101000000Z DNS:machine.example
chmod 644 ./*.key
