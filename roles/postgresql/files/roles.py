"""Make login roles, schema and table of the test clients be there.

Reads JSON from standard input and prints what changed. A password reaches the server only as a SCRAM
verifier, so that no statement log can hold it; a verifier that fits the password already is left alone.
"""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import unicodedata

ITERATIONS = 4096


def verifier(password, salt, iterations=ITERATIONS):
    """Return what PostgreSQL stores for a password (RFC 5803)."""
    text = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", text, salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = hashlib.sha256(client).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{parts[0]}${parts[1]}:{parts[2]}"


def fits(password, stored):
    """Tell whether a stored verifier belongs to a password."""
    if not stored or not stored.startswith("SCRAM-SHA-256$"):
        return False
    iterations, salt = stored.split("$")[1].split(":")
    return hmac.compare_digest(verifier(password, base64.b64decode(salt), int(iterations)), stored)


def name(text):
    """Quote an identifier."""
    return '"' + text.replace('"', '""') + '"'


def literal(text):
    """Quote a string."""
    return "'" + text.replace("'", "''") + "'"


def query(sql, port):
    """Run statements as superuser and return their output, without waiting for synchronous replicas."""
    options = "-c synchronous_commit=local -c statement_timeout=30s -c standard_conforming_strings=on"
    command = [
        "runuser",
        "-u",
        "postgres",
        "--",
        "psql",
        "-X",
        "-qAt",
        "-v",
        "ON_ERROR_STOP=1",
        "-v",
        "VERBOSITY=terse",
    ]
    done = subprocess.run(
        [*command, "-1", "-p", str(port), "-d", "postgres", "-f", "-"],
        input=sql,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        env={**os.environ, "PGOPTIONS": options, "PGCONNECT_TIMEOUT": "5", "LC_ALL": "C.UTF-8"},
    )
    if done.returncode:
        sys.exit(done.stderr.strip() or f"psql ended with {done.returncode}")
    return done.stdout


def present(port):
    """Look at what is there."""
    return json.loads(
        query(
            """SELECT json_build_object(
            'roles', (SELECT json_object_agg(rolname,
                          json_build_array(rolcanlogin, rolreplication, rolpassword))
                      FROM pg_authid),
            'creators', (SELECT json_agg(r.rolname)
                         FROM pg_database d, aclexplode(d.datacl) a JOIN pg_roles r ON r.oid = a.grantee
                         WHERE d.datname = 'postgres' AND a.privilege_type = 'CREATE'),
            'schema', (SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'e2e'),
            'table', (SELECT relowner::regrole::text FROM pg_class
                      WHERE oid = to_regclass('e2e.integrity')))""",
            port,
        )
    )


def role(account, replication, roles):
    """Return the statements, each with what it does, that one login role needs."""
    user = account["name"]
    changes = []
    if user not in roles:
        changes.append((f"role {user}", f"CREATE ROLE {name(user)}"))
    login, replicates, stored = roles.get(user, (False, False, None))
    if not login or (replication and not replicates):
        changes.append(
            (f"rights of {user}", f"ALTER ROLE {name(user)} LOGIN" + (" REPLICATION" if replication else ""))
        )
    if not fits(account["password"], stored):
        secret = verifier(account["password"], os.urandom(16))
        changes.append((f"password of {user}", f"ALTER ROLE {name(user)} PASSWORD {literal(secret)}"))
    return changes


def main():
    """Compare, change, report."""
    wanted = json.load(sys.stdin)
    for account in (wanted["client"], wanted["replication"]):
        if account and not account["password"]:
            sys.exit(f"the password of {account['name']} is empty")
    port, client = wanted["port"], wanted["client"]["name"]
    there = present(port)
    changes = role(wanted["client"], False, there["roles"])
    if wanted["replication"]:
        changes += role(wanted["replication"], True, there["roles"])
    if client not in (there["creators"] or []):
        changes.append(("right to create schemas", f"GRANT CREATE ON DATABASE postgres TO {name(client)}"))
    if there["schema"] is None:
        changes.append(("schema e2e", f"CREATE SCHEMA e2e AUTHORIZATION {name(client)}"))
    elif there["schema"] not in (client, name(client)):
        changes.append(("owner of schema e2e", f"ALTER SCHEMA e2e OWNER TO {name(client)}"))
    if there["table"] is None:
        columns = "id bigint PRIMARY KEY, at timestamptz DEFAULT clock_timestamp()"
        changes.append(("table e2e.integrity", f"CREATE TABLE e2e.integrity ({columns})"))
    if there["table"] not in (client, name(client)):
        changes.append(("owner of e2e.integrity", f"ALTER TABLE e2e.integrity OWNER TO {name(client)}"))
    if changes and wanted["mode"] == "apply":
        query(";\n".join(sql for _what, sql in changes) + ";\n", port)
    for what, _sql in changes:
        sys.stdout.write(f"changed: {what}\n")


main()
