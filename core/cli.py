"""The command line of this room: `personvit-data`."""

from __future__ import annotations

from .command import CommandGroup
from .data.check import CheckOptions, check
from .data.pool.describe import PoolOptions, describe
from .data.pool.shard import ShardOptions, shard
from .data.stats import StatsOptions, stats
from .data.synth import SynthOptions, synth

main = CommandGroup("personvit-data", "Look at, check and make data sets of person crops.")
main.command("check", CheckOptions)(check)
main.command("stats", StatsOptions)(stats)
main.command("synth", SynthOptions)(synth)
main.command("pool", PoolOptions)(describe)
main.command("shard", ShardOptions)(shard)
