"""Importing this lets the threads of one process share an SQLite file."""

from sqlalchemy import event
from sqlalchemy.engine import Engine


@event.listens_for(Engine, "connect")
def be_patient(connection, _):
    """Readers pass writers, and writers wait for each other."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA busy_timeout = 30000")


@event.listens_for(Engine, "before_cursor_execute", retval=True)
def ask_first(_connection, _cursor, statement, parameters, _context, _many):
    """A transaction that reads and then writes is refused at once when another has written: let it wait before."""
    return ("BEGIN IMMEDIATE" if statement == "BEGIN" else statement), parameters
