# ruff: noqa: ARG001  what stands in for a function takes its arguments
"""Imported by processes that train together: ultralytics finds two devices, and both are the processor.

ultralytics knows several processes on as many GPUs only. What it asks of CUDA it gets from the CPU here, and the
processes talk over gloo instead of NCCL; all else is upstream's own, from the launcher to the end of the training, but
for the final evaluation, which 8.4 makes on a GPU alone. What each process starts and ends with is saved beside the
run, as `start0.pt`, `end0.pt` and so on by rank. With STOP_AT in the environment, all processes fail before that epoch.
"""

import os
import sys

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.models import YOLO  # noqa: F401  all modules that name what is replaced
from ultralytics.utils import callbacks, torch_utils

WORLD_SIZE = 2
DEVICES = "0,1"
RANK = int(os.environ.get("RANK", "-1"))

os.environ["GLOO_SOCKET_IFNAME"] = "lo"


def select_device(*arguments, **options):
    return torch.device("cpu")


for module in [module for name, module in sys.modules.items() if name.startswith("ultralytics")]:
    if vars(module).get("select_device") is torch_utils.select_device and module is not torch_utils:
        module.select_device = select_device
torch_utils.select_device = select_device
torch.cuda.device_count = lambda: WORLD_SIZE

_initialize, _train = BaseTrainer.__init__, BaseTrainer._do_train
_wrap, _barrier, _reduce = DistributedDataParallel.__init__, dist.barrier, dist.reduce


def initialize(self, *arguments, **options):
    _initialize(self, *arguments, **options)
    self.args.device, self.world_size, self.ddp = DEVICES, WORLD_SIZE, RANK == -1


def setup_ddp(self, *arguments):
    self.device = torch.device("cpu")
    if not dist.is_initialized():  # by an earlier training of this process
        dist.init_process_group("gloo", rank=RANK, world_size=WORLD_SIZE)


def train(self, *arguments):
    _train(self, *arguments)
    save(self, "end")


def save(trainer, moment):
    models = {"student": trainer.model, "teacher": trainer.model_t, "distillloss": trainer.distillloss}
    state = {name: getattr(model, "module", model).state_dict() for name, model in models.items()}
    state.update(items={k: float(v) for k, v in trainer.distill_items.items()}, args=vars(trainer.args))
    torch.save(state, trainer.save_dir.parent / f"{moment}{RANK}.pt")


def stop(trainer):
    if str(trainer.epoch) == os.environ.get("STOP_AT"):
        raise SystemExit(f"stopped before epoch {trainer.epoch}")


def final_eval(self):
    pass


def wrap(self, module, device_ids=None, **options):
    _wrap(self, module, **options)


def barrier(*arguments, device_ids=None, **options):
    _barrier(*arguments, **options)


def reduce(tensor, dst=0, op=dist.ReduceOp.SUM, **options):
    _reduce(tensor, dst, dist.ReduceOp.SUM if op == dist.ReduceOp.AVG else op, **options)
    if op == dist.ReduceOp.AVG:
        tensor /= WORLD_SIZE


BaseTrainer.__init__, BaseTrainer._setup_ddp = initialize, setup_ddp
BaseTrainer._do_train, BaseTrainer.final_eval = train, final_eval
DistributedDataParallel.__init__, dist.barrier, dist.reduce = wrap, barrier, reduce
callbacks.default_callbacks["on_train_start"].append(lambda trainer: save(trainer, "start"))
callbacks.default_callbacks["on_train_epoch_start"].append(stop)
