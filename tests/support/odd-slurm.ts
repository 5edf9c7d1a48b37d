import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { writeProgram } from './tensorflow.js'

/**
 * Writes stand-ins for Slurm's commands on an unreliable cluster: sbatch prints a greeting and refuses arrays from
 * number $REFUSED_ARRAY on, and squeue lists nothing at its third call. Tasks really run, at most two per array.
 */
export function oddSlurm(folder: string): Readonly<Record<string, string>> {
  mkdirSync(folder)
  writeProgram(join(folder, 'scontrol'), '[ "$1" = ping ] || echo "MaxArraySize            = 2"')
  writeProgram(join(folder, 'scancel'), 'exit 0')
  writeProgram(join(folder, 'sbatch'), sbatch)
  writeProgram(join(folder, 'squeue'), squeue)
  return { PATH: `${folder}:${process.env.PATH}`, CLUSTER: folder }
}

const sbatch = `array=$(($(cat $CLUSTER/arrays 2>/dev/null || echo 0) + 1))
if [ "$array" -ge "\${REFUSED_ARRAY:-99}" ]; then
  echo 'sbatch: error: Job violates accounting/QOS policy' >&2
  exit 1
fi
echo $array > $CLUSTER/arrays
for word; do
  case $word in
    --comment=*) comment=\${word#*=} ;;
    --array=0-*) last=\${word#*-*-*-} ;;
  esac
done
for index in $(seq 0 $last); do
  task=$CLUSTER/$array-$index
  echo "$array|$index|$array$index|RUNNING|None|node1|0|$comment|" > $task.task
  (
    SLURM_ARRAY_TASK_ID=$index bash "$word"
    status=$?
    state=COMPLETED
    [ $status = 0 ] || state=FAILED
    echo "$array|$index|$array$index|$state|None|node1|$((status * 256))|$comment|" > $task.new
    mv $task.new $task.task
  ) > /dev/null 2>&1 &
done
echo 'Welcome to the cluster'
echo "$array;main"`

const squeue = `calls=$(($(cat $CLUSTER/calls 2>/dev/null || echo 0) + 1))
echo $calls > $CLUSTER/calls
[ $calls = 3 ] || cat $CLUSTER/*.task 2>/dev/null
exit 0`
