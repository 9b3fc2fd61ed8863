"""The command line of this room: `personvit-benchmark`."""

from __future__ import annotations

from ..core.command import CommandGroup
from .accuracy import EvaluateOptions, evaluate
from .distill_table import DistillationOptions, distillation
from .engine_speed import EngineSpeedOptions, engine_speed
from .finetune_speed import FinetuneSpeedOptions, finetune_speed
from .gpu_bench import GpuBenchOptions, gpu_bench
from .native_speed import NativeOptions, native_speed
from .pretrain_data_speed import PretrainDataOptions, pretrain_data_speed
from .pretrain_speed import PretrainSpeedOptions, pretrain_speed
from .pretraining_value import PretrainingOptions, pretraining_value
from .ranking_speed import RankingOptions, ranking_speed
from .rerank_speed import RerankingOptions, reranking_speed
from .token_schedule_speed import ScheduleSpeedOptions, schedule_speed

main = CommandGroup("personvit-benchmark", "Measure accuracy and speed.")
main.command("evaluate", EvaluateOptions)(evaluate)
main.command("ranking", RankingOptions)(ranking_speed)
main.command("reranking", RerankingOptions)(reranking_speed)
main.command("finetune", FinetuneSpeedOptions)(finetune_speed)
main.command("pretrain", PretrainSpeedOptions)(pretrain_speed)
main.command("pretrain-data", PretrainDataOptions)(pretrain_data_speed)
main.command("pretraining", PretrainingOptions)(pretraining_value)
main.command("distillation", DistillationOptions)(distillation)
main.command("engines", EngineSpeedOptions)(engine_speed)
main.command("gpu", GpuBenchOptions)(gpu_bench)
main.command("schedule", ScheduleSpeedOptions)(schedule_speed)
main.command("native", NativeOptions)(native_speed)
