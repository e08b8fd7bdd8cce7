"""What the probe finds in the data itself: amcheck over every table and B-tree, and every block read with its checksum.

amcheck reads through the cache of the server. What lies on disk, whether it is cached or not, and indexes of all kinds
are read by the server for a base backup, which compares every checksum. Here that backup goes nowhere; asked for over a
connection to a database it needs no rule of its own in pg_hba.conf.
"""

from __future__ import annotations

import json
import re
import subprocess
import time

from e2e_ansible.nodes.probe_postgres import marked, psql, server_folder, server_socket, told

TYPE_CHECKING = False  # typing would cost a tenth of the start
if TYPE_CHECKING:
    from typing import Any

__all__ = ["physical"]

# A primary that is looked at in the same moment has yet to make the extension.
_EXTENSION_SECONDS = 5.0
_ROWS = 20
_MOST = 100
_NEEDED_VERSION = 140000
_BLACKHOLE_VERSION = 150000
# A killed client is noticed within a second, also in the middle of a long index.
_SETTINGS = "-c client_connection_check_interval=1000 -c search_path=pg_catalog -c lock_timeout=5000"
_DAMAGED = ("XX", "58P01", "58030")
_GONE = "could not open relation with OID"
_REPLICATION = "dbname=postgres replication=database"
_AT_THE_END = "checksum verification failure during base backup"
# Compiled when there is something wrong, and not at every look.
_BLOCK = r"\bblock(?: number)? \(?(\d+)"
_FILE = r"\b((?:base|global|pg_tblspc)/[\w/]*?\d+)(?:_(?:fsm|vm|init))?(?:\.(\d+))?(?![\w/.])"
_BROKEN = r'checksum verification failed in file "(?:\./)?([^"]+)", block (\d+)'

_SERVER_SQL = """
select 'server ' || json_build_object(
  'version', current_setting('server_version_num')::int,
  'takes_writes', not pg_is_in_recovery() and current_setting('transaction_read_only') = 'off',
  'checksums', current_setting('data_checksums') = 'on',
  'segment_blocks', (select setting::int from pg_settings where name = 'segment_size'),
  'databases', (select json_agg(datname order by datname) from pg_database where datallowconn),
  'failures', (select coalesce(json_agg(json_build_object(
      'database', coalesce(datname, ''), 'count', checksum_failures, 'last', coalesce(checksum_last_failure::text, ''))
      order by datname), '[]'::json) from pg_stat_database where checksum_failures > 0)
)::text;
"""

_EXTENSION_SQL = "create extension if not exists amcheck with schema pg_catalog;\n"

_RELATIONS_SQL = r"""
select 'amcheck ' || coalesce((select quote_ident(nspname) from pg_extension
  join pg_namespace on pg_namespace.oid = extnamespace where extname = 'amcheck'), '');
select 'relations ' || json_agg(json_build_array(
  r.oid::bigint,
  coalesce(owner.oid::regclass::text || ' (TOAST)', r.oid::regclass::text),
  pg_relation_filepath(r.oid),
  case
    when r.relpersistence = 't' or (r.relpersistence = 'u' and pg_is_in_recovery()) then ''
    when r.relkind in ('r', 'm', 't') and r.relam = 2 then 'heap'
    when r.relam = 403 and indisvalid and indisready then 'btree'
    else '' end,
  r.relisshared))::text
from pg_class r left join pg_index on indexrelid = r.oid
left join pg_class owner on r.relkind = 't' and owner.reltoastrelid = r.oid
where pg_relation_filepath(r.oid) is not null;
"""


def _damage(database: str, relation: str, message: str, block: int | None = None) -> dict[str, Any]:
    found = re.search(_BLOCK, message)
    return {
        "database": database,
        "relation": relation,
        "block": block if block is not None or not found else int(found.group(1)),
        "message": message,
    }


class _Server:
    """One server, and what was found in it so far."""

    def __init__(self, folder: str, place: tuple[str, str], ends: float) -> None:
        self._folder = folder
        self._place = place
        self._ends = ends
        self._patience = min(ends, time.monotonic() + _EXTENSION_SECONDS)
        self._files: list[tuple[str, int]] = []  # with a wrong checksum, and the block in them
        self._names: dict[str, tuple[str, str]] = {}  # by file: database and relation
        self._to_check: dict[str, dict[int, tuple[str, str]]] = {}  # by database and oid: name and SQL
        self.facts: dict[str, Any] = {"relations": 0, "checked": 0, "damage": [], "unread": [], "error": ""}

    @property
    def _left(self) -> float:
        return self._ends - time.monotonic()

    def _ask(self, sql: str, database: str = "postgres", settings: str = _SETTINGS) -> tuple[str, str, bool]:
        """Output, errors in one line with the time when that ran out, and whether it ended in time."""
        bound = self._left
        output, errors, in_time = psql(
            sql, self._folder, self._place, bound, database=database, settings=settings, stop=False
        )
        return output, told(errors, in_time, bound), in_time

    def meet(self) -> bool:
        """Whether the server says what is needed to go on."""
        output, errors, _ = self._ask(_SERVER_SQL, settings="")
        said = marked(output, "server ")
        if said is None:
            self.facts["error"] = errors or "psql printed nothing"
            return False
        self.facts.update(json.loads(said))
        if self.facts["version"] < _NEEDED_VERSION:
            self.facts["error"] = "PostgreSQL 14 or later is needed"
        return not self.facts["error"]

    # ---- amcheck

    def list_relations(self) -> None:
        """What is to be checked, in every database, and which relation lies in which file."""
        for position, database in enumerate(self.facts["databases"]):
            schema, relations, errors = self._list(database)
            if schema is None or relations is None:
                self._not_listed(database, errors or "psql printed nothing")
                continue
            listed = json.loads(relations)
            for _oid, name, path, _kind, shared in listed:
                self._names[path] = ("" if shared else database, name)
            if not schema:
                why = errors or "it has to come from the primary"
                self.facts["unread"].append(f"database {database} has no extension amcheck: {why}")
                continue
            # Shared relations are in every database, and one look at them is enough.
            chosen = [each for each in listed if each[3] and not (each[4] and position)]
            self._to_check[database] = {
                oid: (name, _check_sql(schema, oid, kind)) for oid, name, _path, kind, _shared in chosen
            }
            self.facts["relations"] += len(chosen)

    def _list(self, database: str) -> tuple[str | None, str | None, str]:
        """The schema of amcheck, the relations, and errors. A replica waits a little for what its primary makes."""
        create = _EXTENSION_SQL if self.facts["takes_writes"] else ""
        while True:
            output, errors, _ = self._ask(create + _RELATIONS_SQL, database)
            schema = marked(output, "amcheck ")
            if schema != "" or create or time.monotonic() > self._patience:
                return schema, marked(output, "relations "), errors
            time.sleep(0.2)

    def _not_listed(self, database: str, error: str) -> None:
        """A catalog that cannot be read for its damage is a finding, all else is not known."""
        if "invalid page in block" in error or "could not read block" in error:
            self._found(self._placed(_damage(database, "its catalog", error)))
        self.facts["unread"].append(f"the relations of database {database} could not be listed: {error}")

    def check(self) -> None:
        """amcheck over all that was listed."""
        for database, relations in self._to_check.items():
            if self._left <= 0:
                break
            script = "".join(sql for _name, sql in relations.values())
            output, errors, in_time = self._ask(script, database)
            answered = self._take(database, relations, output)
            if in_time and answered < len(relations):
                self.facts["unread"].append(f"amcheck in database {database} broke off: {errors}")
        if self._left <= 0:
            self.facts["unread"].append("the time for amcheck ran out")

    def _take(self, database: str, relations: dict[int, tuple[str, str]], output: str) -> int:
        """Note what was printed; gives how many relations were answered for."""
        answered = 0
        for line in output.splitlines():
            mark, _, rest = line.partition(" ")
            if mark == "row":
                oid, block, message = json.loads(rest)
                self._found(_damage(database, relations[oid][0], message, block))
            elif mark == "checked":
                oid, state, message = (*rest.split(" ", 2), "")[:3]
                answered += 1
                self._answered(database, relations[int(oid)][0], state, message)
        return answered

    def _answered(self, database: str, relation: str, state: str, message: str) -> None:
        if state == "00000" or message.startswith(_GONE):
            self.facts["checked"] += 1
        elif state.startswith(_DAMAGED):
            self.facts["checked"] += 1
            self._found(self._placed(_damage(database, relation, message)))
        else:
            self.facts["unread"].append(f"{relation} in database {database}: {message}")

    def _found(self, damage: dict[str, Any]) -> None:
        """Note it once, although an index and its table may both tell it."""
        if damage not in self.facts["damage"] and len(self.facts["damage"]) < _MOST:
            self.facts["damage"].append(damage)

    def _placed(self, damage: dict[str, Any]) -> dict[str, Any]:
        """A check of an index may meet a broken block of its table: the file in the message tells which it is."""
        file = re.search(_FILE, damage["message"])
        if file and file.group(1) in self._names:
            damage["database"], damage["relation"] = self._names[file.group(1)]
        return damage

    # ---- checksums

    def read_all(self) -> None:
        """Let the server read every block from disk and compare its checksum. Never raises."""
        options = "(LABEL 'e2e', TARGET 'blackhole', CHECKPOINT 'fast', MANIFEST 'no', WAL false, WAIT false)"
        if self.facts["version"] < _BLACKHOLE_VERSION:
            options = "LABEL 'e2e' FAST NOWAIT"
        sql = f"\\o /dev/null\nBASE_BACKUP {options};\n\\echo over\n"
        try:
            output, errors, in_time = self._ask(sql, _REPLICATION, settings="")
        except (OSError, LookupError, subprocess.SubprocessError) as error:
            self.facts.update(read=False, read_error=str(error))
            return
        self._files = [(path, int(block)) for path, block in re.findall(_BROKEN, errors)]
        # psql has no status for this answer. Wrong checksums are an error at the very end, when all was read.
        whole = in_time and "over" in output.split() and (not errors or _AT_THE_END in errors)
        self.facts.update(read=whole, read_error="" if whole else errors or "psql broke off")

    def name_files(self) -> None:
        """Say of the files with wrong checksums which relations they are."""
        self.facts["broken"] = []
        for path, block in self._files[:_MOST]:
            file = re.search(_FILE, path)
            database, relation = self._names.get(file.group(1) if file else path, ("", path))
            before = int(file.group(2) or 0) * self.facts["segment_blocks"] if file else 0
            message = f"checksum verification failed in file {path}"
            self.facts["broken"].append(_damage(database, relation, message, before + block))


def _check_sql(schema: str, oid: int, kind: str) -> str:
    if kind == "heap":
        call = f"{schema}.verify_heapam(relation => {oid}::oid::regclass, check_toast => true)"
        sql = f"select 'row ' || json_build_array({oid}, blkno, msg) from {call} limit {_ROWS};"
    else:
        sql = f"select {schema}.bt_index_check({oid}::oid::regclass, true);"
    return f"{sql}\n\\echo checked {oid} :SQLSTATE :LAST_ERROR_MESSAGE\n"


def physical(seconds: float) -> dict[str, Any]:
    """The fields of `physical.Physical`, after at most about so many seconds. Never raises."""
    import threading

    folder, place = server_folder(), server_socket()
    if not folder or place is None:
        return {"error": "PostgreSQL does not run"}
    server = _Server(folder, place, time.monotonic() + seconds)
    try:
        if not server.meet():
            return server.facts
        reader = threading.Thread(target=server.read_all)
        if server.facts["checksums"]:
            reader.start()
        try:
            server.list_relations()
            server.check()
        finally:
            if server.facts["checksums"]:
                reader.join()
        server.name_files()
    except (OSError, LookupError, ValueError, TypeError, subprocess.SubprocessError) as error:
        server.facts["error"] = f"{type(error).__name__}: {error}"
    return server.facts
