#!/bin/sh
# certificate.sh request|sign|install MODE [NAME]: a certificate for this node, in three steps.
# request prints a request if there is no certificate in the name that standard input has; sign turns it into a
# certificate, with that of the authority behind it; install lays both down.
set -eu
step=$1 mode=$2
folder=/etc/pgbackrest/tls
authority=/etc/pgbackrest/authority
umask 077

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

ours() {
    [ -s "$folder/node.crt" ] && [ -s "$folder/node.key" ] && [ -s "$folder/ca.crt" ] &&
        [ "$(openssl x509 -noout -subject -nameopt multiline -in "$folder/node.crt" | sed -n 's/^ *commonName *= //p')" = "$1" ] &&
        openssl x509 -noout -checkend 86400 -in "$folder/node.crt" >/dev/null &&
        openssl verify -CAfile "$folder/ca.crt" "$folder/node.crt" >/dev/null 2>&1
}

request() {
    name=$(cat)
    if [ -s "$folder/ca.crt" ]; then echo "authority $(openssl x509 -noout -fingerprint -sha256 -in "$folder/ca.crt")"; fi
    if ours "$name"; then echo fits; fi
    [ "$mode" = apply ] || exit 0
    install -d -m 700 -o postgres -g postgres "$folder"
    [ -s "$folder/node.key" ] || { new_key "$folder/node.key.new"; mv "$folder/node.key.new" "$folder/node.key"; }
    chown postgres:postgres "$folder/node.key"
    openssl req -new -key "$folder/node.key" -subj "/CN=$name"
}

make_authority() {
    install -d -m 700 "$authority"
    [ -s "$authority/ca.key" ] || { new_key "$authority/ca.key.new"; mv "$authority/ca.key.new" "$authority/ca.key"; }
    openssl req -x509 -new -key "$authority/ca.key" -days 3650 -subj "/CN=e2e pgBackRest" \
        -addext "basicConstraints=critical,CA:TRUE" -out "$authority/ca.crt.new"
    mv "$authority/ca.crt.new" "$authority/ca.crt"
}

sign() {
    asked=$(cat)
    known=$(echo "$asked" | sed -n 's/^authority //p')
    if [ -s "$authority/ca.crt" ] && echo "$asked" | grep -qx fits &&
        [ "$known" = "$(openssl x509 -noout -fingerprint -sha256 -in "$authority/ca.crt")" ]; then
        echo fits
        return
    fi
    [ "$mode" = apply ] || return 0
    [ -s "$authority/ca.crt" ] || make_authority
    echo "$asked" | sed -n '/^-----BEGIN/,$p' |
        openssl x509 -req -CA "$authority/ca.crt" -CAkey "$authority/ca.key" -CAcreateserial -days 3650 2>/dev/null
    cat "$authority/ca.crt"
}

install_it() {
    signed=$(cat)
    [ "$signed" != fits ] || exit 0
    echo "changed: certificate"
    [ "$mode" = apply ] || exit 0
    echo "$signed" | awk -v folder="$folder" '/BEGIN/ {n++} {print > (folder "/" (n == 1 ? "node" : "ca") ".crt")}'
    chown postgres:postgres "$folder/node.crt" "$folder/ca.crt"
}

case $step in
request) request ;;
sign) sign ;;
install) install_it ;;
esac
