"""`write_wal`: some megabytes of write-ahead log at once, to see whether the replicas keep up."""

from __future__ import annotations

from pydantic import Field

from e2e_ansible.api import (
    Cause,
    CompileContext,
    CompiledStep,
    Judgement,
    Replay,
    StepOptions,
    StepType,
    play,
)

__all__ = ["WriteWal"]

_PSQL = (
    "runuser",
    "-u",
    "postgres",
    "--",
    "psql",
    "-X",
    "-q",
    "-v",
    "ON_ERROR_STOP=1",
    "-o",
    "/dev/null",
    "-c",
)


class WriteWalOptions(StepOptions):
    """What a suite may write beside `step: write_wal`."""

    megabytes: int = Field(16, ge=1, le=10_000, description="How much, in MB")


class WriteWal(StepType[WriteWalOptions]):
    """Write messages into the log of the primary; no table grows."""

    name = "write_wal"
    summary = "Write some megabytes of write-ahead log on the primary"
    options = WriteWalOptions

    def compile(self, options: WriteWalOptions, context: CompileContext) -> CompiledStep:
        """One play with one task on the primary."""
        message = "pg_logical_emit_message(false, 'e2e', repeat('x', 1000000))"
        statement = f"SELECT {message} FROM generate_series(1, {options.megabytes})"
        task = {
            "name": "Write messages into the log",
            "ansible.builtin.command": {"argv": [*_PSQL, statement], "chdir": "/"},
            "changed_when": True,
        }
        return CompiledStep(
            plays=[play("Write WAL on the primary", (context.primary,), tasks=[task])],
            hosts=(context.primary,),
            deadline_seconds=300,
            replay=Replay.NEVER,
            judgement=Judgement(failure_cause=Cause.PRODUCT),
        )
