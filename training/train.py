"""Train the encoder on mined pairs, on one GPU: a teacher of six layers, then a student of four.

    python -m training.train DATA OUT --base kuberian/checkpoints/all-MiniLM-L6-v2 [--teacher-epochs 6] …

DATA has part-*.jsonl.xz (training.gather), and may have evaluation.jsonl.xz (training.evaluation). OUT gets
teacher.safetensors and student.safetensors in float16.

The loss is InfoNCE (van den Oord et al., 2018) over a large batch, both ways, as sentence-transformers trains. A batch
is made of blocks of one repository, and a block of whole files, so that the wrong answers of a batch are what a search
has to tell apart: other functions of the same file and project. The student also learns the teacher's similarities
(Kullback-Leibler) and its vectors.
"""

from __future__ import annotations

import argparse
import math
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from training.bert import Bert, MicroBatch, embed_batch, micro_batches
from training.evaluation import Evaluation
from training.pairs import FILE, QUESTION_TOKENS, REPOSITORY, SENTENCE, Pairs, draw, load

STUDENT_LAYERS = (0, 2, 4, 5)
BLOCK = 64
# The share of definitions without documentation that an epoch takes: their questions are only names.
UNDOCUMENTED = 0.3
QUESTION_MICRO_TOKENS, PASSAGE_MICRO_TOKENS = 32_768, 49_152
WARM_UP = 60
PREPARERS = 6


@dataclass(frozen=True)
class Settings:
    """How long and how fast to learn."""

    epochs: int
    rate: float
    batch: int = 2048
    temperature: float = 0.05
    by_file: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Batch:
    """Questions and passages, row by row, and which passage of another row may not count as wrong [batch, batch]."""

    questions: list[MicroBatch]
    passages: list[MicroBatch]
    excused: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, help="one that is trained already")
    parser.add_argument("--teacher-epochs", type=int, default=6)
    parser.add_argument("--student-epochs", type=int, default=6)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--shuffled", action="store_true", help="blocks of single definitions, not of whole files")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    with Pool() as pool:
        pairs = load(sorted(arguments.data.glob("part-*.jsonl.xz")), arguments.base / "tokenizer.json", pool)
        evaluation = Evaluation.read(arguments.data / "evaluation.jsonl.xz", arguments.base / "tokenizer.json", pool)
    print(
        f"{len(pairs.records):,} records, {int((pairs.records[:, SENTENCE] >= 0).sum()):,} with a sentence", flush=True
    )
    base = load_file(arguments.base / "model.safetensors")
    print("base", evaluation.of(Bert(base).cuda()), flush=True)
    by_file = not arguments.shuffled
    if arguments.teacher:
        teacher = Bert(load_file(arguments.teacher)).cuda()
    else:
        teacher = train(Bert(base), pairs, Settings(arguments.teacher_epochs, arguments.rate, by_file=by_file))
        save(teacher, arguments.out / "teacher.safetensors")
    print("teacher", evaluation.of(teacher), flush=True)
    student = Bert(teacher.tensors(), STUDENT_LAYERS)
    train(student, pairs, Settings(arguments.student_epochs, 2 * arguments.rate, by_file=by_file, seed=1), teacher)
    save(student, arguments.out / "student.safetensors")
    print("student", evaluation.of(student), flush=True)


def train(model: Bert, pairs: Pairs, settings: Settings, teacher: Bert | None = None) -> Bert:
    """Train a model, beside a teacher if there is one."""
    model.cuda().train()
    steps = sum(1 for _ in orders(pairs, settings))
    optimizer = torch.optim.AdamW(_groups(model), lr=settings.rate, betas=(0.9, 0.98), fused=True)
    started, losses = time.monotonic(), list[Tensor]()
    for step, batch in enumerate(batches(pairs, settings)):
        share = 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * min(1, (step + 1) / WARM_UP) * (0.02 + 0.98 * share)
        loss = loss_of(model, batch, settings.temperature, teacher)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.detach())
        if step % 100 == 99 or step == 9:
            seconds = (time.monotonic() - started) / (step + 1)
            print(f"step {step + 1}/{steps} loss {torch.stack(losses[-50:]).mean():.4f} {seconds:.3f} s", flush=True)
    return model.eval()


def loss_of(model: Bert, batch: Batch, temperature: float, teacher: Bert | None) -> Tensor:
    """Return InfoNCE both ways; with a teacher half of it, and how far the model is from the teacher."""
    with torch.autocast("cuda", dtype=torch.bfloat16):
        questions, passages = embed_batch(model, batch.questions), embed_batch(model, batch.passages)
    excused = batch.excused.cuda(non_blocking=True)
    similar = (questions @ passages.T / temperature).masked_fill(excused, -1e4)
    right = torch.arange(len(excused), device=similar.device)
    loss = (functional.cross_entropy(similar, right) + functional.cross_entropy(similar.T, right)) / 2
    if teacher is None:
        return loss
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
        wanted_questions, wanted_passages = embed_batch(teacher, batch.questions), embed_batch(teacher, batch.passages)
    wanted = (wanted_questions @ wanted_passages.T / temperature).masked_fill(excused, -1e4)
    divergence = sum(
        functional.kl_div(one.log_softmax(1), other.softmax(1), reduction="batchmean") / 2
        for one, other in ((similar, wanted), (similar.T, wanted.T))
    )
    apart = (1 - (questions * wanted_questions).sum(1)).mean() + (1 - (passages * wanted_passages).sum(1)).mean()
    return 0.5 * loss + 0.5 * divergence + 10 * apart


def orders(pairs: Pairs, settings: Settings) -> Iterator[np.ndarray]:
    """Yield the records of each batch."""
    choose = np.random.default_rng(settings.seed)
    by_repository = [
        np.flatnonzero(pairs.records[:, REPOSITORY] == number)
        for number in range(int(pairs.records[:, REPOSITORY].max()) + 1)
    ]
    for _ in range(settings.epochs):
        blocks = []
        for rows in by_repository:
            asks = (pairs.records[rows, SENTENCE] >= 0) | (choose.random(len(rows)) < UNDOCUMENTED)
            taken = choose.permutation(rows[asks])
            if settings.by_file:
                files = pairs.records[taken, FILE]
                place = choose.random(int(files.max()) + 1 if len(files) else 1)
                taken = taken[np.argsort(place[files], kind="stable")]
            blocks += [taken[start : start + BLOCK] for start in range(0, len(taken), BLOCK)]
        order = np.concatenate([blocks[number] for number in choose.permutation(len(blocks))])
        for start in range(0, len(order) - settings.batch // 2, settings.batch):
            yield order[start : start + settings.batch]


def batches(pairs: Pairs, settings: Settings) -> Iterator[Batch]:
    """Yield the batches, prepared by threads beside the GPU. Their order may differ from run to run."""
    todo = orders(pairs, settings)
    lock = threading.Lock()
    done: queue.Queue[Batch | None] = queue.Queue(2 * PREPARERS)

    def prepare(number: int) -> None:
        choose = np.random.default_rng((settings.seed, number))
        while True:
            with lock:
                order = next(todo, None)
            if order is None:
                break
            done.put(assemble(pairs, order, choose))
        done.put(None)

    for number in range(PREPARERS):
        threading.Thread(target=prepare, args=(number,), daemon=True).start()
    running = PREPARERS
    while running:
        batch = done.get()
        if batch is None:
            running -= 1
        else:
            yield batch


def assemble(pairs: Pairs, order: np.ndarray, choose: np.random.Generator) -> Batch:
    """Draw questions and passages, and excuse those that are equal, and whole files against their own parts."""
    drawn = draw(pairs, order, choose)
    questions = [pairs.rows[question][:QUESTION_TOKENS] for question, _, _ in drawn]
    passages = [pairs.rows[passage] for _, passage, _ in drawn]
    asked, answered = (np.array([hash(row.tobytes()) for row in rows]) for rows in (questions, passages))
    whole = np.array([is_whole for _, _, is_whole in drawn])
    file = pairs.records[order, FILE]
    excused = (
        (asked[:, None] == asked)
        | (answered[:, None] == answered)
        | ((file[:, None] == file) & (whole[:, None] | whole))
    )
    np.fill_diagonal(excused, val=False)
    return Batch(
        list(micro_batches(questions, QUESTION_MICRO_TOKENS)),
        list(micro_batches(passages, PASSAGE_MICRO_TOKENS)),
        torch.from_numpy(excused).pin_memory(),
    )


def save(model: Bert, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half().cpu().contiguous() for name, value in model.tensors().items()}, file)


def _groups(model: Bert) -> list[dict[str, object]]:
    """Return the optimizer's groups: no weight decay for biases and norms."""
    matrices = [value for value in model.parameters() if value.ndim > 1]
    others: Sequence[object] = [value for value in model.parameters() if value.ndim < 2]
    return [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]


if __name__ == "__main__":
    main()
