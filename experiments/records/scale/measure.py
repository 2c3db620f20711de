#!/usr/bin/env python3
"""Training and evaluation by one rank and by two that meet by a file, one thread each: seconds of the processors that each takes.

  experiments/records/scale/measure.py RUN     RUN: directory of a finished run of configs/everyday.yaml

A rank that waits takes no processor, so that other work on the machine changes little. What one rank takes, divided by what the
busier of two takes, is how much faster two are where each has a core for itself and the sum of gradients costs nothing.
"""
import json
import os
import subprocess
import sys
import tempfile

PROGRAM = os.environ.get('TINYTHINKER', 'build/default/tinythinker')
STEPS = 7, 147  # two runs, whose difference has no start


def launch(ranks, folder, command):
    """Standard output of rank 0; seconds of each rank."""
    running, used = [], []
    for rank in range(ranks):
        variables = os.environ | {'OMP_NUM_THREADS': '1'}
        if ranks > 1:
            variables |= {'TT_RANK': str(rank), 'TT_WORLD': str(ranks), 'TT_RENDEZVOUS': folder + '/meet'}
        running.append(subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
    output = running[0].stdout.read().decode()
    for process in running:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        used.append(usage.ru_utime + usage.ru_stime)
    if any(process.returncode for process in running):
        sys.exit('failed: ' + ' '.join(command))
    return output, used


def train(ranks, folder, steps):
    settings = {'output': folder, 'threads': 1, 'acquisition.steps': steps, 'acquisition.validate_every': 0,
                'evaluation.splits': '[]'}
    sets = [word for key, value in settings.items() for word in ('--set', f'{key}={value}')]
    return launch(ranks, folder, [PROGRAM, 'run', 'configs/everyday.yaml', '--fresh', *sets])[1]


def evaluate(ranks, folder, run, limit):
    output, used = launch(ranks, folder, [
        PROGRAM, 'eval', '--model', run + '/best.h5', '--corpus', run + '/corpus.h5', '--limit', str(limit), '--json',
        '--max-length', '64', '--threads', '1'])
    return used, json.loads(output)['of_a_rank']


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    most = {}
    with tempfile.TemporaryDirectory() as folder:
        for ranks in (1, 2):
            short, long = train(ranks, folder, STEPS[0]), train(ranks, folder, STEPS[1])
            steps = [b - a for a, b in zip(short, long)]
            few, (many, pieces) = evaluate(ranks, folder, sys.argv[1], 1)[0], evaluate(ranks, folder, sys.argv[1], 300)
            questions = [b - a for a, b in zip(few, many)]
            most[ranks] = max(steps), max(questions)
            print(f'{ranks} rank(s): {STEPS[1] - STEPS[0]} steps {" ".join(f"{t:.2f}" for t in steps)} s; '
                  f'299 questions {" ".join(f"{t:.2f}" for t in questions)} s, pieces of a rank {pieces}', flush=True)
    print('one to two: training {:.2f}, evaluation {:.2f}'.format(*(a / b for a, b in zip(most[1], most[2]))))


if __name__ == '__main__':
    main()
