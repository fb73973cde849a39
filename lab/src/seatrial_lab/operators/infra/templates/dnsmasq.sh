# dnsmasq with the options given, told to read its hosts again whenever their volume has been renewed.
set -u
cd -P /etc/dnsmasq.hosts/..data && seen=$PWD
dnsmasq "$@" &
child=$!
trap 'kill "$child"' TERM
exec {nothing}<> <(:)  # never readable: a way to wait that starts no process
while kill -0 "$child" 2>/dev/null; do
    read -r -t 1 -u "$nothing"
    if cd -P /etc/dnsmasq.hosts/..data && [ "$PWD" != "$seen" ]; then
        seen=$PWD
        kill -HUP "$child"
    fi
done
wait "$child"
