# What a run takes from its start to its first optimiser step, in CPU seconds of all its threads; then it is ended.
#   gdb -q -batch -x experiments/records/start/first_step.gdb --args build/default/tinythinker run CONFIG [options] | grep -e '->'
# Each line: from one function's call to the next one's. The time of day is gdb's, too, which reads the program's symbols first.
set pagination off
set confirm off
set debuginfod enabled off
python
import gdb, os
names = """main tt_run_directory_prepare tt_device_open tt_sharing_open tt_world_corpus tt_corpus_save tt_corpus_load
    tt_environment_write tt_checkpoint_load tt_acquisition_run tt_dataset_build tt_token_cache_write tt_trainer_open
    tt_trainer_step tt_optimizer_update""".split()
for name in names:
    gdb.execute("break " + name, to_string=True)
gdb.execute("run", to_string=True)
before, where = 0.0, "exec"
while gdb.selected_inferior().pid:
    tasks = f"/proc/{gdb.selected_inferior().pid}/task"
    cpu = sum(int(open(f"{tasks}/{t}/schedstat").read().split()[0]) for t in os.listdir(tasks)) / 1e9
    name = gdb.selected_frame().name()
    print(f"{where} -> {name}: {cpu - before:.3f}, in all {cpu:.3f}")
    before, where = cpu, name
    if name == names[-1]:
        break
    gdb.execute("continue", to_string=True)
end
kill
quit
