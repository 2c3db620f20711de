#!/usr/bin/env python3
"""A model of training on many GPUs: predicted milliseconds of a step, what of the sum of gradients is not hidden, and the share of
the speed that so many GPUs could have.

  tools/scale_model.py                        T5-base and 3B on H100s: 1, 8, 64 and 512 GPUs, three networks
  tools/scale_model.py --shape large --pairs 52,512,128
  tools/scale_model.py --batch 2048           the same global batch for any number of GPUs, instead of the same for each
  tools/scale_model.py --shape base --step 36.7   with the milliseconds that a step on one GPU took, instead of the model's

Nothing here is measured, but for what --step is given. A step's time on one GPU is tools/step_model.py's. To it come

  sum       4 bytes of each parameter are summed in pieces of 32 MiB while backward still runs; NCCL moves 2 (n - 1) / n of them
            over each GPU's link, at SHARE of the link's speed. Between nodes the link is the node's network, shared by its GPUs.
            Backward is two thirds of the step without the update. What is summed last cannot be hidden: the shared embedding,
            whose gradient is complete when backward ends.
  meeting   two small collectives a step (trainer.c). By MPI and NCCL a tree of HOP seconds; by our own connections rank 0 reads two
            messages of each rank and writes one, each MESSAGE seconds.
  jitter    the slowest of n steps whose times vary by --jitter (1 % of a step, normally distributed): sqrt(2 ln n) of it at most.

Links, one direction, bytes a second:
  nvlink    450e9   H100 SXM, 4th generation. NCCL's maintainer: 450 GB/s is the line rate, about 370 what NCCL reaches without
                    SHARP (github.com/NVIDIA/nccl-tests/issues/212), which is SHARE.
  ib8       eight adapters of 400 Gb/s in a node of eight GPUs, as in the DGX H100 (its user guide, 1.2.3)
  ib1       one adapter of 400 Gb/s in a node
  ethernet  one of 100 Gb/s
"""
import argparse
import math
from types import SimpleNamespace

import step_model

NODE = 8
NVLINK = 450e9
NETWORKS = {'ib8': 8 * 50e9, 'ib1': 50e9, 'ethernet': 12.5e9}
SHARE = 370 / 450
PIECE = 32 << 20         # bytes; gradient_sum.c
HOP = 10e-6              # of a small message, with the calls on both sides
MESSAGE = 3e-6           # of a call to send or to receive, when the message is there
COLLECTIVES = 2          # of a step
DISK = 1e9               # bytes a second to a shared file system


def split_step(shape, pairs, source, target):
    """Seconds of a step on one GPU, and of its backward."""
    options = SimpleNamespace(gemm_share=0.8, memory_share=0.9, issue_share=0.65)
    budget, gpu = step_model.Budget(step_model.ROOT + '/tools/kernel_budget.txt'), step_model.GPUS['H100']
    step = step_model.Step(step_model.SHAPES[shape], [source] * pairs, [target] * pairs, budget, gpu)
    time = step_model.total(step, gpu, options)
    update = sum(k.times * step_model.seconds(k, gpu, options)[0] for k in step.kernels if k.kind in ('adamw', 'other'))
    return time, (time - update) * 2 / 3, step.parameters


def ring(size, gpus, link):
    """Seconds in which `size` bytes are summed."""
    if gpus == 1:
        return 0.0
    return 2 * (gpus - 1) / gpus * size / (SHARE * link) + HOP * 2 * math.ceil(math.log2(gpus))


def predict(options, shape, gpus, network):
    pairs, source, target = options.pairs
    if options.batch:
        pairs = max(1, options.batch // gpus)
    step, backward, parameters = split_step(shape, pairs, source, target)
    if options.step:
        step, backward = options.step / 1e3, backward * options.step / 1e3 / step
    link = NVLINK if gpus <= NODE else min(NVLINK, NETWORKS[network])
    size = 4 * parameters
    embedding = 4 * step_model.SHAPES[shape].vocab * step_model.SHAPES[shape].d
    last = ring(embedding, gpus, link)
    exposed = max(last, ring(size, gpus, link) - backward) if gpus > 1 else 0.0
    tree = COLLECTIVES * 2 * HOP * math.ceil(math.log2(gpus)) if gpus > 1 else 0.0
    star = COLLECTIVES * 3 * MESSAGE * (gpus - 1)
    jitter = options.jitter * step * math.sqrt(2 * math.log(gpus)) if gpus > 1 else 0.0
    return SimpleNamespace(step=step, size=size, exposed=exposed, tree=tree, star=star, jitter=jitter,
                           tokens=gpus * pairs * (source + target), parameters=parameters)


def print_row(p, gpus, network):
    by_tree, by_star = p.step + p.exposed + p.tree + p.jitter, p.step + p.exposed + p.star + p.jitter
    print(f'{gpus:>5} {network:<9}{p.step * 1e3:>9.1f}{p.exposed * 1e3:>10.1f}{p.tree * 1e3:>9.2f}{p.star * 1e3:>9.2f}'
          f'{p.jitter * 1e3:>8.1f}{p.step / by_tree:>11.1%}{p.step / by_star:>11.1%}{p.tokens / by_tree / 1e6:>10.2f}')


def print_shape(options, shape):
    print(f'\npredicted: T5-{shape} on H100s, '
          + (f'{options.batch} pairs a step' if options.batch else f'{options.pairs[0]} pairs a GPU')
          + ' of {1} source and {2} target tokens'.format(*options.pairs)
          + (f'; one GPU as measured, {options.step} ms' if options.step else ''))
    print(f'{"GPUs":>5} {"network":<9}{"step ms":>9}{"sum, ms":>10}{"tree ms":>9}{"own ms":>9}{"jitter":>8}'
          f'{"share":>11}{"share, own":>11}{"Mtoken/s":>10}')
    for gpus in (1, 8, 64, 512):
        for network in NETWORKS if gpus > NODE else ['nvlink' if gpus > 1 else '-']:
            print_row(predict(options, shape, gpus, network), gpus, network)
    p = predict(options, shape, 1, '-')
    seconds = 12 * p.parameters / DISK
    print(f'a checkpoint: {12 * p.parameters / 1e9:.1f} GB, {seconds:.0f} s at {DISK / 1e9:.0f} GB/s, in which all GPUs wait: '
          f'{seconds / (seconds + options.save_every * p.step):.1%} of the time, one every {options.save_every} steps')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--shape', choices=step_model.SHAPES)
    parser.add_argument('--pairs', default='26,512,128', help='of a GPU: number, source and target tokens of each')
    parser.add_argument('--batch', type=int, default=0)
    parser.add_argument('--step', type=float, default=0, help='milliseconds of a step on one GPU; needs --shape')
    parser.add_argument('--jitter', type=float, default=0.01)
    parser.add_argument('--save-every', type=int, default=1000)
    options = parser.parse_args()
    options.pairs = [int(x) for x in options.pairs.split(',')]
    if len(options.pairs) != 3 or min(options.pairs) < 1:
        parser.error('--pairs: expected three positive numbers, as in 26,512,128')
    if options.step and (options.batch or not options.shape):
        parser.error('--step: needs --shape, and the same batch for each GPU')
    for shape in [options.shape] if options.shape else ['base', '3b']:
        print_shape(options, shape)


if __name__ == '__main__':
    main()
