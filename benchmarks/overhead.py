"""What does each method cost? A whole training step (forward, backward, optimiser) with it against one without.

    python benchmarks/overhead.py --out overhead.json [--methods orthoreg camdrop] [--rounds 15]

128 px, 64 images, a backbone from random weights (the cost does not depend on them), bf16 where the machine
computes it, gradients clipped, AdamW: as a fine-tuning does it. All networks live in one process; a round
takes for each method a step with it and one without, in random order, and their ratio. Shown are the median
over rounds and its 95 % bootstrap interval. On a processor the time is the process's own, so that other
jobs of the machine do not count. Targets: at most 5 % for grid dropout, OrthoReg and codes, 15 % for
attention and the methods that act on maps.
"""

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from backbones import DEFAULT

from tagger.config import check_settings
from tagger.data import label_stats
from tagger.losses import losses
from tagger.model import TagModel, new_attention, new_backbone, new_head
from tagger.regularisers import RegulariserContext
from tagger.training.device import make_accelerator
from tagger.training.network.optimiser import make_optimiser, parameter_groups
from tagger.training.network.train_step import TrainStep
from tagger.training.objective import Objective, make_regularisers, make_step_context

PLAIN = "without any"
METHODS: dict[str, tuple[dict[str, Any], float]] = {
    "grid-dropout": ({"regularisers": {"grid-dropout": True}}, 0.05),
    "orthoreg": ({"regularisers": {"orthoreg": True}}, 0.05),
    "ecoc": ({"head": {"name": "ecoc"}}, 0.05),
    "attention": ({"attention": {"depth": 3}}, 0.15),
    "camdrop": ({"regularisers": {"camdrop": True}}, 0.15),
    "attention-drop": ({"regularisers": {"attention-drop": True}}, 0.15),
    "dropblock": ({"regularisers": {"dropblock": True}}, 0.15),
}


class Network:
    """A network in training, on random images with random labels."""

    def __init__(self, chosen: dict[str, Any], args: argparse.Namespace):
        fixed = {"backbone": {"name": args.backbone, "weights": "none"}, "image": {"size": args.size}}
        settings = check_settings(
            {**fixed, **chosen, "device": args.device, "train": {"precision": args.precision}}
        )
        self.settings, self.accelerator = settings, make_accelerator(settings)
        rng = np.random.default_rng(0)
        labels_BK = (rng.random((args.batch, args.labels)) < 0.1).astype(np.int8)
        torch.manual_seed(0)
        backbone = new_backbone(settings)
        head = new_head(backbone.num_features, args.labels, settings)
        head.prepare(labels_BK, None)
        stats = label_stats(labels_BK)
        head.init_from_priors(stats.priors_K)
        attention = new_attention(backbone, args.labels, settings)
        if attention is not None:
            attention.init_from_priors(head, stats.priors_K)
        model = TagModel(backbone, head, attention).to(self.accelerator.device)
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        context = RegulariserContext(backbone.num_features, tuple(f"label {k}" for k in range(args.labels)))
        objective = Objective(losses.build("bce", stats), make_regularisers(settings, context))
        objective.to(self.accelerator.device)
        groups = parameter_groups(
            model, settings.train, settings.attention.lr_factor, objective.trainable_parameters()
        )
        self.learner = TrainStep(model, objective, compiled=args.compile)
        self.wrapped, self.optimiser = self.accelerator.prepare(
            self.learner, make_optimiser(groups, settings.train)
        )
        self.wrapped.train()
        self.images = torch.rand(args.batch, 3, args.size, args.size, device=self.accelerator.device)
        self.targets = torch.from_numpy(labels_BK).float().to(self.accelerator.device)
        self.generator = torch.Generator().manual_seed(0)

    def step(self) -> float:
        """Seconds of one training step."""
        begun = self.clock()
        step = make_step_context(self.targets, 0.5, self.generator)
        loss = self.wrapped(self.images, self.targets, None, step)
        self.optimiser.zero_grad()
        self.accelerator.backward(loss)
        self.accelerator.unscale_gradients()
        self.learner.change_gradients()
        torch.nn.utils.clip_grad_norm_(self.wrapped.parameters(), self.settings.train.clip_grad_norm)
        self.optimiser.step()
        loss.item()
        return self.clock() - begun

    def clock(self) -> float:
        """The time that counts, when all that was begun is done."""
        if self.accelerator.device.type == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


def measure(networks: dict[str, Network], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """(seconds of a step without, seconds with) of each method in each round, after a round that is not counted."""
    rng = np.random.default_rng(0)
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in networks if name != PLAIN}
    for n in range(-1, rounds):
        for name in rng.permutation(list(pairs)):
            first, second = rng.permutation([PLAIN, name])
            taken = {first: networks[first].step()}
            taken[second] = networks[second].step()
            if n >= 0:
                pairs[name].append((taken[PLAIN], taken[name]))
    return pairs


def summary(pairs: dict[str, list[tuple[float, float]]]) -> dict[str, dict[str, float]]:
    """For each method its median step, that without it, and the median ratio with a 95 % bootstrap interval."""
    rng, rows = np.random.default_rng(0), {}
    for name, seconds in pairs.items():
        without_R, with_R = np.array(seconds).T
        ratio_R = with_R / without_R
        low, high = np.quantile(np.median(rng.choice(ratio_R, (2000, len(ratio_R))), axis=1), [0.025, 0.975])
        medians = {"without": np.median(without_R), "with": np.median(with_R), "ratio": np.median(ratio_R)}
        rows[name] = {key: float(value) for key, value in (medians | {"low": low, "high": high}).items()}
    return rows


def print_table(rows: dict[str, dict[str, float]]) -> None:
    """As docs/results.md has it."""
    print("| method | a step without | with | more (95 % interval) | target |")
    print("|---|---|---|---|---|")
    for name, row in rows.items():
        more = f"{row['ratio'] - 1:+.1%} ({row['low'] - 1:+.1%} to {row['high'] - 1:+.1%})"
        print(f"| {name} | {row['without']:.3f} s | {row['with']:.3f} s | {more} | {METHODS[name][1]:.0%} |")


def main() -> None:
    """Measure, write the JSON, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--backbone", default=DEFAULT)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--labels", type=int, default=14)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    networks = {PLAIN: Network({}, args)} | {name: Network(METHODS[name][0], args) for name in args.methods}
    pairs = measure(networks, args.rounds)
    rows = summary(pairs)
    found: dict[str, Any] = {key: value for key, value in vars(args).items() if key != "out"}
    found |= {
        "device": str(networks[PLAIN].accelerator.device),
        "machine": platform.processor() or platform.machine(),
    }
    found |= {"torch": torch.__version__, "threads": torch.get_num_threads(), "rows": rows, "seconds": pairs}
    args.out.write_text(json.dumps(found, indent=1), "utf-8")
    print_table(rows)


if __name__ == "__main__":
    main()
