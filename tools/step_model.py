#!/usr/bin/env python3
"""A model of a training step on the CUDA device: predicted milliseconds and share of peak, kernel by kernel.

  tools/step_model.py                         T5-small, base, large and 3B on an A100, H100 and H200: a line each
  tools/step_model.py --gpu H200 --shape base kernel by kernel
  tools/step_model.py --check                 beside what experiments/records/h100/second.json measured: with what attention's
                                              kernels cost when they were measured, second-budget.txt; and beside
                                              third.json and third-more.json: attention of long sequences, and a step
                                              of them, with third-budget.txt

Nothing here is measured, except what --check compares with. Each kernel takes the longest of
  - its floating-point operations at a share (--gemm-share) of the peak of matrix products;
  - its bytes, each tensor read or written once, at a share (--memory-share, or its own) of a copy's bandwidth;
  - for attention, its warp instructions (products times instructions for each HMMA, from kernel_budget.txt, of the kernels
    with or, with --no-dropout, without dropout) at a share (--issue-share, of long sequences LONG_ISSUE) of what the
    schedulers can issue;
and GAP microseconds to begin and to end. The launches are those that tests/cusim counts (ceilings.txt): --check compares
their number, too, and fails if they differ or a step is more than 15 % off. LATENCY was fitted to second.json, LONG_ISSUE to
third.json.
"""
import argparse
import collections
import json
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MOST_DEVIATION = 0.15  # of the step that --check accepts
RECORD = ROOT + '/experiments/records/h100/second.json'
BUDGET = ROOT + '/tools/kernel_budget.txt'
RECORDED_BUDGET = ROOT + '/experiments/records/h100/second-budget.txt'  # attention's kernels were others then
THIRD = ROOT + '/experiments/records/h100/third'

# peak: of dense bf16 products, FLOP/s; copy: bytes/s that a copy moves. The H100's are measured, the others are
# estimates from the data sheets by the same shares.
Gpu = collections.namedtuple('Gpu', 'peak copy processors clock')
GPUS = {'A100': Gpu(255e12, 1.75e12, 108, 1.41e9), 'H100': Gpu(801e12, 2.96e12, 132, 1.755e9),
        'H200': Gpu(801e12, 4.2e12, 132, 1.755e9)}
Shape = collections.namedtuple('Shape', 'd inner d_kv ff layers heads vocab')
SHAPES = {'small': Shape(512, 512, 64, 2048, 6, 8, 32128), 'base': Shape(768, 768, 64, 3072, 12, 12, 32128),
          'large': Shape(1024, 1024, 64, 4096, 24, 16, 32128), '3b': Shape(1024, 4096, 128, 16384, 24, 32, 32128)}
GAP = 1.0  # microseconds of a kernel in which not all of the GPU works
RECORDED_NORM_SHARE = 0.74  # of a copy's bandwidth, which the norm's backward reached then
RECORDED_HEAD_ROWS = 522  # of a chunk of the LM head when the record was made
# Of what the schedulers can issue, in attention of long sequences: two warps of each scheduler wait for each other's products,
# loads and exponentials. Fitted to 65,536 rows in sequences of 512, with biases and dropout.
LONG_ISSUE = {'fwd': 0.48, 'bwd': 0.42}
LATENCY = 4.0  # microseconds of a block of attention beside its products: fitted to second.json

# blocks: of attention, divided by how many a multiprocessor takes at once
# share: of a copy's bandwidth that the kernel reaches; 0: --memory-share
# issue: of what the schedulers can issue; 0: --issue-share
Kernel = collections.namedtuple('Kernel', 'name kind times flops bytes instructions blocks share issue')


class Step:
    """The kernels of a step; `sources` and `targets` are the lengths of the sequences, one target for each source. recorded: as they were when the record was made."""

    def __init__(self, shape, sources, targets, budget, gpu, recorded=False):
        self.recorded = recorded
        self.busy = 0 if recorded else gpu.processors * 192 * 192  # as kernels/cuda/scratch.h has it
        self.head_rows = RECORDED_HEAD_ROWS if recorded else head_rows_at_once(shape.vocab)
        self.shape, self.sources, self.targets, self.budget = shape, sources, targets, budget
        self.s, self.t = sum(sources), sum(targets)
        self.kernels = []
        self.parameters = self.count_parameters()
        self.stack(True)
        self.stack(False)
        self.head()
        self.update()

    def count_parameters(self):
        c = self.shape
        block = 4 * c.d * c.inner + 2 * c.d * c.ff
        return c.vocab * c.d + c.layers * (2 * block + 4 * c.d * c.inner + 5 * c.d) + 2 * c.d + 64 * c.heads

    def add(self, name, kind, times=1, flops=0.0, moved=0.0, instructions=0.0, blocks=0.0, share=0.0, issue=0.0):
        self.kernels.append(Kernel(name, kind, times, flops, moved, instructions, blocks, share, issue))

    def batches(self, weight, layers, apart):
        """Of a weight's gradients, as host/model/weights.c makes them; apart: block 0 has the biases behind it, so that three layers from it on are not equally far apart."""
        most = min(layers, max(1, self.busy // weight))
        group = -(-layers // -(-layers // most))
        return -(-layers // group) + (apart and group > 2)

    def product(self, name, rows, inputs, outputs, times, apart=False):
        """A linear layer: forward, gradient of the weight (added to fp32), gradient of the input."""
        flops, read = 2.0 * rows * inputs * outputs, 2.0 * rows * (inputs + outputs)
        weight = inputs * outputs
        together = times if name == 'cross kv' and self.busy else 1  # all layers read the encoder's output
        self.add(name, 'gemm', times // together, flops * together, (read + 2.0 * weight) * together)
        batches = self.batches(weight, times, apart)
        share = times / batches
        self.add(name + ' dW', 'gemm', batches, flops * share, (read + 8.0 * weight) * share)
        self.add(name + ' dX', 'gemm', times, flops, read + 2.0 * weight)

    def attention(self, name, queries, keys, causal, biased):
        """By tiles of a warp's rows, times 64 columns forward and 32 backward, as many HMMA as D columns need; of short
        sequences 16 rows times 32 columns forward, and all of backward at once."""
        c = self.shape
        def moved(queries, keys, tensors):
            return 2.0 * c.inner * tensors * (sum(queries) + sum(keys))
        def pairs(queries, keys):
            return sum(a * b for a, b in zip(queries, keys)) * (0.5 if causal else 1.0)
        def work(kernel, factor, width, rows, columns, block=64):
            d, warp_rows, per_hmma, at_once = self.budget.of(kernel, c.d_kv, biased)
            hmma = 0
            for m, n in zip(rows, columns):
                for first in range(0, m, warp_rows):
                    hmma += -(-(min(n, first + warp_rows) if causal else n) // width) * d * warp_rows / 16 * factor
            return hmma * c.heads * per_hmma, sum(-(-n // block) for n in rows) * c.heads / at_once
        short = c.d_kv == 64 and not self.recorded  # as kernels/cuda/attention.cu and attention_bwd_short.cu have it
        long_issue = {} if self.recorded else LONG_ISSUE
        few = short and max(keys) <= 256
        forward = work('fwd_short', 0.5, 32, queries, keys) if few else work('fwd', 1, 64, queries, keys)
        self.add(name, 'attention', c.layers, 4 * pairs(queries, keys) * c.inner, moved(queries, keys, 2), *forward,
                 issue=0 if few else long_issue.get('fwd', 0))
        sizes = ([64] if max(keys) <= 64 else [128, 256]) if short else []
        above = 0
        for most in sizes:
            if max(keys) <= above:
                break
            of = [(q, k) for q, k in zip(queries, keys) if above < k <= most]
            q, k = [p[0] for p in of], [p[1] for p in of]
            self.add(f'{name} bwd, up to {most} keys', 'attention', c.layers, 10 * pairs(q, k) * c.inner, moved(q, k, 4),
                     *work(f'bwd_short {most // 16}', 0.625, 16, *((q, k) if causal else (k, q)), most))
            above = most
        if max(keys) > above:
            of = [(q, k) for q, k in zip(queries, keys) if k > above]
            q, k = [p[0] for p in of], [p[1] for p in of]
            self.add(name + ' bwd, queries', 'attention', c.layers, 6 * pairs(q, k) * c.inner, moved(q, k, 3),
                     *work('bwd_queries', 0.75, 32, q, k), issue=long_issue.get('bwd', 0))
            # Keys go through queries; under causality the pairs are the same, seen from the other side.
            self.add(name + ' bwd, keys', 'attention', c.layers, 8 * pairs(q, k) * c.inner, moved(q, k, 3),
                     *work('bwd_keys', 1, 32, *((q, k) if causal else (k, q))), issue=long_issue.get('bwd', 0))
        if biased:
            self.add(name + ' bwd, bias', 'attention', 1 if self.busy else c.layers, 0, 4.0 * len(keys) * 32 * c.heads)

    def norms(self, rows, times, name):
        d = self.shape.d
        self.add(f'rmsnorm_fwd {name}', 'norms', times, 0, 12.0 * rows * d)
        self.add(f'rmsnorm_bwd {name}', 'norms', times, 0, 16.0 * rows * d,
                 share=RECORDED_NORM_SHARE if self.recorded else 0)

    def stack(self, encoder):
        c, name = self.shape, 'encoder' if encoder else 'decoder'
        rows, lengths = (self.s, self.sources) if encoder else (self.t, self.targets)
        self.add(f'embed_fwd {name}', 'embedding', 1, 0, 8.0 * rows * c.d)
        self.add(f'embed_bwd {name}', 'embedding', 1, 0, (4.0 * rows + 8.0 * min(rows, c.vocab)) * c.d)
        self.add(f'embed_bwd {name}, cut runs', 'embedding', 1, 0, rows / 32 * 2 * c.d * 4.0)
        self.norms(rows, (2 if encoder else 3) * c.layers + 1, name)
        self.product(f'qkv {name}', rows, c.d, 3 * c.inner, c.layers, True)
        self.attention(f'attention {name}', lengths, lengths, not encoder, True)
        self.product(f'o {name}', rows, c.inner, c.d, c.layers, True)
        if not encoder:
            self.product('cross q', rows, c.d, c.inner, c.layers)
            self.product('cross kv', self.s, c.d, 2 * c.inner, c.layers)
            self.attention('attention cross', self.targets, self.sources, False, False)
            self.product('cross o', rows, c.inner, c.d, c.layers)
        self.product(f'wi {name}', rows, c.d, c.ff, c.layers)
        self.product(f'wo {name}', rows, c.ff, c.d, c.layers)
        mask = 0 if self.recorded else rows * c.ff / 8
        self.add(f'ffn_fwd {name}', 'activations', c.layers, 0, 4.0 * rows * c.ff + mask)
        self.add(f'ffn_bwd {name}', 'activations', c.layers, 0, (6.0 if self.recorded else 4.0) * rows * c.ff + mask)

    def head(self):
        """By chunks of rows, as kernels/cuda/lmhead.cu takes them."""
        c = self.shape
        rows = min(self.t, self.head_rows)
        chunks = -(-self.t // rows)
        flops, logits = 2.0 * rows * c.d * c.vocab, float(rows) * c.vocab
        weight, h = float(c.d) * c.vocab, float(rows) * c.d
        self.add('LM head, logits', 'lm head', chunks, flops, 2 * h + 2 * weight + 4 * logits)
        # Read once where a row is held in registers (WIDEST of kernels/cuda/lmhead.cu), else twice.
        read = 4 if c.vocab <= 32768 and not self.recorded else 8
        self.add('LM head, rows', 'lm head', chunks, 0, (read + 2) * logits)
        self.add('LM head, dh', 'lm head', chunks, flops, 2 * logits + 2 * weight + 2 * h)
        self.add('LM head, dW', 'lm head', chunks, flops, 2 * logits + 2 * h + 8 * weight)

    def update(self):
        c, n = self.shape, self.parameters
        strips = (self.s * (2 * c.layers + 1) + self.t * (3 * c.layers + 1)) / 16
        self.add('rmsnorm_dw', 'norms', -(-(5 * c.layers + 2) // 128), 0, strips * c.d * 4.0)
        self.add('gradient to bf16', 'other', 1, 0, 6.0 * self.s * c.d)
        self.add('square_sum', 'adamw', 2, 0, 4.0 * n / 2)
        self.add('adamw', 'adamw', 1, 0, 30.0 * n)
        self.add('zeros', 'other', 1, 0, 4.0 * n + 4.0 * c.d * (2 * self.s + self.t))

    def launches(self):
        return sum(k.times for k in self.kernels if k.name != 'zeros')

    def flops(self):
        """As tt_model_flops counts them."""
        c = self.shape
        ffn = 2 * c.d * c.ff
        macs = self.s * c.layers * (4 * c.d * c.inner + ffn + 2 * c.d * c.inner)
        macs += self.t * (c.layers * (6 * c.d * c.inner + ffn) + c.d * c.vocab)
        for s, t in zip(self.sources, self.targets):
            macs += c.layers * 2 * c.inner * (s * s + t * (t + 1) / 2 + t * s)
        return 6.0 * macs


def head_rows_at_once(vocab):
    return max(512, (256 << 20) // (4 * vocab) // 128 * 128)


def seconds(kernel, gpu, options):
    """Of one launch, and what limits it."""
    share = kernel.share or options.memory_share
    limits = {'products': kernel.flops / (options.gemm_share * gpu.peak),
              'memory': kernel.bytes / (share * gpu.copy),
              'instructions': kernel.instructions / ((kernel.issue or options.issue_share) * 4 * gpu.processors * gpu.clock) +
                              kernel.blocks / gpu.processors * LATENCY * 1e-6}
    limit = max(limits, key=limits.get)
    return limits[limit] + GAP * 1e-6, limit


def total(step, gpu, options):
    return sum(k.times * seconds(k, gpu, options)[0] for k in step.kernels)


class Budget:
    """What attention's kernels for sm_90 cost, from a table in the form of kernel_budget.txt."""

    def __init__(self, path, dropout=True):
        self.rows, self.dropout = {}, dropout
        with open(path, encoding='utf-8') as file:
            for line in file:
                cells = line[62:].split()
                if line[0] != '#' and len(cells) > 3 and cells[3] != '-':
                    self.rows[line[:62].rstrip()] = float(cells[3]), int(cells[2])

    def of(self, kernel, d_kv, biased):
        """Columns of a head, rows of a warp, instructions for each HMMA, blocks of a multiprocessor at once."""
        d = 32 if d_kv <= 32 else 64 if d_kv <= 64 else 128
        use = 7 if d == 32 else biased + 2 * self.dropout  # as kernels/cuda/attention_tile.cuh counts them
        kind, _, block = kernel.partition(' ')
        if kind == 'bwd_short':
            per_hmma, warps = self.rows[f'attention_bwd_short: attention_bwd_short<{block}, {use}>']
            return d, 16, per_hmma, warps // int(block)
        if kind.startswith('fwd'):
            name = f'attention: attention_fwd<bf16, {d}, 64, {use}, {str(kind == "fwd_short").lower()}>'
        else:
            name = f'attention_bwd: attention_{kind}<bf16, {d}, 64, {use}>'
        per_hmma, warps = self.rows[name]
        rows = 32 if d == 64 and kind != 'fwd_short' else 16
        return d, rows, per_hmma, warps // (64 // rows)


class RecordedBudget(Budget):
    """Of the kernels that were measured: 16 rows a warp, one kernel for all uses."""
    NAMES = {'fwd': 'attention: attention_forward', 'bwd_queries': 'attention_bwd: attention_backward_queries',
             'bwd_keys': 'attention_bwd: attention_backward_keys'}

    def of(self, kernel, d_kv, biased):
        per_hmma, warps = self.rows[f'{self.NAMES[kernel]}<bf16, {d_kv}>']
        return d_kv, 16, per_hmma, warps // 4


def print_summary(options, budget):
    pairs, source, target = options.pairs
    print(f'predicted, for {pairs} pairs of {source} source and {target} target tokens:')
    print(f'{"GPU":<6}{"shape":<8}{"ms a step":>10}{"share of peak":>15}{"launches":>10}')
    for gpu_name, gpu in GPUS.items():
        for shape_name, shape in SHAPES.items():
            step = Step(shape, [source] * pairs, [target] * pairs, budget, gpu)
            time = total(step, gpu, options)
            print(f'{gpu_name:<6}{shape_name:<8}{time * 1e3:>10.2f}{step.flops() / time / gpu.peak:>14.1%} '
                  f'{step.launches():>9}  predicted')


def print_kernels(step, gpu, options):
    print(f'{"kernel":<32}{"times":>6}{"predicted ms":>14}  limited by')
    rows = [(k, *seconds(k, gpu, options)) for k in step.kernels]
    for kernel, time, limit in sorted(rows, key=lambda r: -r[0].times * r[1]):
        print(f'{kernel.name:<32}{kernel.times:>6}{kernel.times * time * 1e3:>14.3f}  {limit}')
    time = total(step, gpu, options)
    print(f'{"all":<32}{step.launches():>6}{time * 1e3:>14.3f}  predicted: {step.flops() / time / gpu.peak:.1%} of peak')


def bench_lengths(tokens, low, high):
    """As tinythinker bench draws them, without chance: all lengths from low to high equally often."""
    lengths = []
    while sum(lengths) < tokens:
        lengths += range(low, high + 1)
    while sum(lengths) > tokens and len(lengths) > 1:
        lengths.pop(len(lengths) // 2)
    return lengths


def check(options, budget):
    with open(RECORD, encoding='utf-8') as file:
        record = json.load(file)
    measured = record['tinythinker base training']['shapes'][0]
    targets = bench_lengths(measured['target_tokens'], 8, 60)
    sources = bench_lengths(measured['source_tokens'], 20, 150)
    n = min(len(targets), len(sources))
    step, gpu = Step(SHAPES['base'], sources[:n], targets[:n], budget, GPUS['H100'], True), GPUS['H100']
    print(f'T5-base on an H100, {step.s} source and {step.t} target tokens; measured with a wait after each operation')
    print(f'{"kind":<14}{"predicted ms":>14}{"measured ms":>13}{"deviation":>11}')
    by_kind = collections.Counter()
    for k in step.kernels:
        by_kind[k.kind] += k.times * seconds(k, gpu, options)[0]
    for kind, time in measured['seconds_by_kind'].items():
        if kind in by_kind and time > 0:
            print(f'{kind:<14}{by_kind[kind] * 1e3:>14.2f}{time * 1e3:>13.2f}{by_kind[kind] / time - 1:>+11.0%}')
    time, real = total(step, gpu, options), measured['step_seconds']['median']
    print(f'{"step":<14}{time * 1e3:>14.2f}{real * 1e3:>13.2f}{time / real - 1:>+11.0%}')
    check_attention(record, Step(SHAPES['base'], [512] * 128, [512] * 128, budget, gpu, True), options)
    near = check_long(options)
    counted = read_counts()
    # Heads that tests/cusim counts are narrow: attention then has the same kernels for all lengths.
    now = Step(SHAPES['base']._replace(d_kv=8), sources[:n], targets[:n], Budget(BUDGET), gpu)
    one_chunk = now.launches() - 4 * (-(-now.t // now.head_rows) - 1)
    print(f'launches with one chunk of the LM head: {one_chunk} in the model, {counted:.0f} counted by tests/cusim')
    return abs(one_chunk - counted) < 0.5 and abs(time / real - 1) < MOST_DEVIATION and near


def check_long(options):
    """Of third.json and third-more.json: attention alone, and a step of 26 pairs of 512 and 128 tokens."""
    budget, gpu = Budget(THIRD + '-budget.txt'), GPUS['H100']
    print('long sequences, third.json and third-more.json:')
    with open(THIRD + '.json', encoding='utf-8') as file:
        check_attention(json.load(file), Step(SHAPES['base'], [512] * 128, [512] * 128, budget, gpu), options)
    with open(THIRD + '-more.json', encoding='utf-8') as file:
        measured = json.load(file)['long']['shapes'][0]
    step = Step(SHAPES['base'], [512] * 26, [128] * 26, budget, gpu)
    attention = sum(k.times * seconds(k, gpu, options)[0] for k in step.kernels if k.kind == 'attention')
    alone = measured['seconds_by_kind']['attention']
    print(f'{"attention":<14}{attention * 1e3:>14.2f}{alone * 1e3:>13.2f}{attention / alone - 1:>+11.0%}'
          '  measured with a wait after each operation')
    time, real = total(step, gpu, options), measured['step_seconds']['median']
    print(f'{"step":<14}{time * 1e3:>14.2f}{real * 1e3:>13.2f}{time / real - 1:>+11.0%}')
    return abs(time / real - 1) < MOST_DEVIATION


def check_attention(record, step, options):
    """Of operations alone: 65,536 rows in sequences of 512, with biases and dropout."""
    measured = {o['operation']: o['seconds']['median']
                for o in record['tinythinker base operations']['shapes'][0]['operations']}
    for stack in ('encoder', 'decoder'):
        for backward in (False, True):
            name = f'attention {stack}'
            predicted = sum(seconds(k, GPUS['H100'], options)[0] for k in step.kernels
                            if k.name.startswith(name + ' bwd' if backward else name) and backward == (k.name != name))
            real = measured[f'attention_{"bwd" if backward else "fwd"}, {stack}']
            print(f'{stack + (" bwd" if backward else " fwd"):<14}{predicted * 1e3:>14.2f}{real * 1e3:>13.2f}'
                  f'{predicted / real - 1:>+11.0%}  attention alone, long sequences')


def read_counts():
    with open(ROOT + '/tests/cusim/ceilings.txt', encoding='utf-8') as file:
        row = next(line for line in file if line.startswith('training step  '))
    return sum(float(x) for x in row[26:].split()[:2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--gpu', choices=GPUS, default='H200')
    parser.add_argument('--shape', choices=SHAPES)
    parser.add_argument('--pairs', default='26,512,128', help='number, source and target tokens of each')
    parser.add_argument('--gemm-share', type=float, default=0.8)
    parser.add_argument('--memory-share', type=float, default=0.9)
    parser.add_argument('--issue-share', type=float, default=0.65)
    parser.add_argument('--no-dropout', action='store_true')
    parser.add_argument('--check', action='store_true')
    options = parser.parse_args()
    options.pairs = [int(x) for x in options.pairs.split(',')]
    if len(options.pairs) != 3 or min(options.pairs) < 1:
        parser.error('--pairs: expected three positive numbers, as in 26,512,128')
    budget = Budget(BUDGET, not options.no_dropout)
    if options.check:
        if not check(options, RecordedBudget(RECORDED_BUDGET)):
            raise SystemExit(f'step_model: the step is more than {MOST_DEVIATION:.0%} off, or launches differ')
    elif options.shape:
        pairs, source, target = options.pairs
        print(f'predicted: T5-{options.shape} on {options.gpu}, {pairs} pairs of {source} and {target} tokens')
        gpu = GPUS[options.gpu]
        print_kernels(Step(SHAPES[options.shape], [source] * pairs, [target] * pairs, budget, gpu), gpu, options)
    else:
        print_summary(options, budget)


if __name__ == '__main__':
    main()
