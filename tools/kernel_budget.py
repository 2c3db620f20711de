#!/usr/bin/env python3
"""What the compiled CUDA kernels cost, by their machine code for sm_90, against the ceilings of kernel_budget.txt:

  tools/kernel_budget.py [BUILD]          compares a build of the preset cuda (default: build/cuda); exit status 1 if
                                          a number is above its ceiling, 77 if the machine code cannot be read here
  tools/kernel_budget.py --print [BUILD]  prints the table in the form of kernel_budget.txt

cuobjdump and nvdisasm come from the CUDA toolkit or, where it lacks them, from PyPI (two packages into BUILD/sass). The
ceilings are for one version of nvcc; of another version the numbers are compared, but fail nothing.

Columns: registers of a thread; fixed shared memory in bytes; warps of the 64 of a multiprocessor that the registers
allow; instructions for each HMMA in the loop with most of them; loops around a compare-and-swap; conversions between
types of numbers; accesses of local memory (spilled registers, arrays). All but `warps` are better if they are smaller.
"""
import glob
import os
import re
import shutil
import subprocess
import sys

GPU = 'sm_90'
COLUMNS = ['registers', 'shared', 'warps', 'per hmma', 'cas', 'conversions', 'local']
HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = ['nvidia-cuda-cuobjdump', 'nvidia-cuda-nvdisasm']


def give_up(text, status=1):
    print('kernel_budget: ' + text, file=sys.stderr)
    sys.exit(status)


def cuda_home():
    return os.environ.get("CUDA_HOME", "/usr/local/cuda")


def find_cuobjdump(build):
    """The path of cuobjdump; beside it is nvdisasm, which it calls."""
    def found():
        places = [cuda_home() + '/bin', *glob.glob(build + '/sass/nvidia/cu*/bin')]
        for place in [*os.get_exec_path(), *places]:
            if os.access(place + '/cuobjdump', os.X_OK) and os.access(place + '/nvdisasm', os.X_OK):
                return place + '/cuobjdump'
        return None
    if not found():
        subprocess.run([sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--target', build + '/sass',
                        *PACKAGES], stderr=subprocess.DEVNULL, check=False)
        for program in glob.glob(build + '/sass/nvidia/cu*/bin/*'):
            os.chmod(program, 0o755)
    return found() or give_up('skipped: no cuobjdump; it comes with the CUDA toolkit, or: pip install ' +
                              ' '.join(PACKAGES), 77)


def short_name(mangled):
    name = subprocess.run(['c++filt', mangled], capture_output=True, text=True, check=True).stdout.strip()
    name = name.replace('(anonymous namespace)::', '').removeprefix('void ').replace('__nv_bfloat16', 'bf16')
    return re.sub(r'\(([a-z_]+|bool|int)\)', '', name.split('>(')[0] + '>' if '>(' in name else name.split('(')[0])


def read_loops(code):
    """Pairs of first and last index of the instructions of each loop: a branch to itself or to what stands before."""
    index = {address: i for i, (address, _) in enumerate(code)}
    loops = []
    for i, (_, text) in enumerate(code):
        target = re.search(r'\bBRA\S*.* `?\(?(0x[0-9a-f]+)', text)
        if target and int(target.group(1), 16) in index and index[int(target.group(1), 16)] < i:
            loops.append((index[int(target.group(1), 16)], i))
    return loops


def count(code, pattern):
    return sum(1 for _, text in code if re.search(pattern, text))


def per_hmma(code, loops):
    """Of the loop with most HMMA, the shortest of these."""
    found = [(count(code[a:b + 1], r'\bHMMA\b'), -(b + 1 - a)) for a, b in loops]
    most, length = max(found, default=(0, 0))
    return -length / most if most else None


def measure(code, registers, shared):
    loops = read_loops(code)
    allocated = (registers * 32 + 255) // 256 * 256  # for a warp
    return [registers, shared, min(64, 65536 // allocated), per_hmma(code, loops),
            sum(1 for a, b in loops if count(code[a:b + 1], r'\bATOM\S*\.CAS') and b - a < 40),
            count(code, r'\b(F2F|F2FP|F2I|I2F|I2FP)\b'), count(code, r'\b(LDL|STL)\b')]


def read_object(cuobjdump, path):
    """{name of a kernel: numbers} of an object file."""
    def run(option):
        return subprocess.run([cuobjdump, '-arch', GPU, option, path], capture_output=True, text=True,
                              check=False).stdout.splitlines()
    use, kernels, name = {}, {}, None
    for line in run('-res-usage'):
        function = re.match(r'\s*Function (\S+):', line)
        numbers = re.search(r'REG:(\d+).*SHARED:(\d+)', line)
        if function:
            name = function.group(1)
        elif numbers and name:
            use[name] = [int(n) for n in numbers.groups()]
    for line in run('-sass'):
        function = re.match(r'\s*Function : (\S+)', line)
        instruction = re.match(r'\s*/\*([0-9a-f]{4,})\*/\s+(.*?);', line)
        if function:
            code = kernels[function.group(1)] = []
        elif instruction:
            code.append((int(instruction.group(1), 16), instruction.group(2)))
    return {os.path.basename(path).split('.')[0] + ': ' + short_name(k): measure(code, *use[k])
            for k, code in kernels.items()}


def format_row(name, row):
    cells = ['-' if v is None else f'{v:.2f}' if isinstance(v, float) else str(v) for v in row]
    return f'{name:<62}' + ''.join(f' {c:>11}' for c in cells)


def read_ceilings(path):
    with open(path, encoding='utf-8') as file:
        lines = file.read().splitlines()
    version = next(line.split()[2] for line in lines if line.startswith('# nvcc '))
    rows = {line[:62].rstrip(): [None if c == '-' else float(c) for c in line[62:].split()]
            for line in lines if line and line[0] != '#'}
    return version, rows


def compare(rows, ceilings):
    """Lines that say what is worse, and what is better."""
    worse, better = [], []
    for name, row in rows.items():
        if name not in ceilings:
            worse.append(f'{name} has no ceilings')
            continue
        for column, now, most in zip(COLUMNS, row, ceilings[name]):
            if column == 'warps' or now == most:
                continue
            if now is None or (most is not None and now < most - 0.006):
                better.append(f'{name}: {column} {now}; lower its ceiling of {most}')
            elif most is None or now > most + 0.006:
                worse.append(f'{name}: {column} {now}, the ceiling is {most}')
    worse += [f'ceilings of {name}, which is not in the build' for name in ceilings if name not in rows]
    return worse, better


def main():
    arguments = sys.argv[1:]
    only_print = '--print' in arguments
    build = next((a for a in arguments if not a.startswith('-')), 'build/cuda')
    objects = sorted(glob.glob(build + '/CMakeFiles/tinythinker.dir/kernels/cuda/*.cu.o'))
    if not objects:
        give_up(f'no kernels in {build}; build the preset cuda first')
    cuobjdump = find_cuobjdump(build)
    rows = {}
    for path in objects:
        rows.update(sorted(read_object(cuobjdump, path).items()))
    if not rows:
        give_up(f'the kernels in {build} were not built for {GPU}', 77)
    nvcc = shutil.which('nvcc') or cuda_home() + '/bin/nvcc'
    version = re.search(r'release ([\d.]+)', subprocess.run([nvcc, '--version'], capture_output=True, text=True,
                                                           check=True).stdout).group(1)
    if only_print:
        print(f'# nvcc {version}\n#' + format_row('', COLUMNS)[1:])
        print('\n'.join(format_row(name, row) for name, row in rows.items()))
        return
    wanted, ceilings = read_ceilings(HERE + '/kernel_budget.txt')
    worse, better = compare(rows, ceilings)
    for line in better:
        print('better: ' + line)
    for line in worse:
        print('worse: ' + line)
    if worse and version != wanted:
        print(f'kernel_budget: nothing fails, since the ceilings are for nvcc {wanted} and this is {version}')
    elif worse:
        give_up(f'{len(worse)} numbers are worse than kernel_budget.txt allows')
    else:
        print(f'{len(rows)} kernels are within their budget')


if __name__ == '__main__':
    main()
