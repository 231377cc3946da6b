#!/usr/bin/env bash
# Makes the secrets that docker-compose.yml reads, as files. What is there already is kept: run it again at will.
#
#   deploy/secrets.sh [FOLDER]        default: deploy/secrets, which git ignores
#
#   deskstream/master                 the key that wraps every tenant's data key. Lose it and what is sealed in
#                                     Kafka can't be read any more: keep a copy elsewhere
#   deskstream/clickhouse             password of ClickHouse's user deskstream (reads and writes its database)
#   clickhouse-reader                 password of ClickHouse's user grafana (reads only)
#   clickhouse-users.xml              both users, with the digests of their passwords
#   grafana-admin                     password of Grafana's user admin
#
# The folder can be entered by you alone. The files in it are readable by all, since a container's user has
# another number than yours.
set -euo pipefail
folder="${1:-"$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/secrets"}"

mkdir -p "$folder/deskstream"
chmod 700 "$folder"
chmod 755 "$folder/deskstream"

# Random bytes in base64, without what would need quoting where it is not base64 that is asked for.
password() { head -c 33 /dev/urandom | base64 | tr -d '/+=\n'; }
put() {
    local path="$folder/$1" value="$2"
    if [ -s "$path" ]; then return; fi
    printf '%s' "$value" >"$path"
    chmod 644 "$path"
    echo "made $path"
}

put deskstream/master "$(head -c 32 /dev/urandom | base64)"
put deskstream/clickhouse "$(password)"
put clickhouse-reader "$(password)"
put grafana-admin "$(password)"

digest() { sha256sum "$folder/$1" | cut -d ' ' -f 1; }
cat >"$folder/clickhouse-users.xml" <<XML
<!-- Made by deploy/secrets.sh from the passwords beside it. -->
<clickhouse>
    <profiles>
        <reader>
            <!-- 2: reads only, but may set what Grafana sets, such as max_execution_time. -->
            <readonly>2</readonly>
            <max_execution_time>30</max_execution_time>
            <max_memory_usage>2000000000</max_memory_usage>
        </reader>
    </profiles>
    <users>
        <default remove="1"/>
        <deskstream>
            <password_sha256_hex>$(digest deskstream/clickhouse)</password_sha256_hex>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants><query>GRANT ALL ON deskstream.*</query></grants>
        </deskstream>
        <grafana>
            <password_sha256_hex>$(digest clickhouse-reader)</password_sha256_hex>
            <networks><ip>::/0</ip></networks>
            <profile>reader</profile>
            <quota>default</quota>
            <grants><query>GRANT SELECT ON deskstream.*</query></grants>
        </grafana>
    </users>
</clickhouse>
XML
chmod 644 "$folder/clickhouse-users.xml"
