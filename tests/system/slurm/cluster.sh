#!/usr/bin/env bash
# Starts a Slurm cluster for tests on this machine: two nodes with one fake GPU each, its own munged and slurmctld.
#   cluster.sh start FOLDER   prints FOLDER/slurm.conf, the value for SLURM_CONF
#   cluster.sh stop FOLDER
#   cluster.sh kill-node FOLDER NODE     kills the node's slurmd, as a power cut would
#   cluster.sh start-node FOLDER NODE
# Needs root and Debian's slurm-wlm and munge (apt-get install --no-install-recommends slurm-wlm munge).
set -euo pipefail
action=$1
folder=$(realpath -m "$2")

free_port() {
  node -e 'const s = require("net").createServer().listen(0, () => { console.log(s.address().port); s.close() })'
}

start_munged() {
  mkdir -p "$folder/munge"
  chmod 700 "$folder/munge"
  head -c 1024 /dev/urandom > "$folder/munge/key"
  chmod 400 "$folder/munge/key"
  # munged refuses folders that others can write to, such as /tmp, unless forced.
  munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
    --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" 2> "$folder/munge/err"
}

write_config() {
  local host
  host=$(hostname -s)
  cat > "$folder/slurm.conf" <<CONF
ClusterName=eigenae
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
SlurmctldPort=$(free_port)
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=10
KillWait=10
MinJobAge=60
SchedulerParameters=bf_interval=1,sched_interval=2
MaxArraySize=8
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=2 RealMemory=8000 Gres=gpu:1
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=2 RealMemory=8000 Gres=gpu:1
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=n1,n2 MaxTime=INFINITE State=UP PriorityTier=2
CONF
  # A fake GPU is any character device.
  cat > "$folder/gres.conf" <<CONF
NodeName=n1 Name=gpu File=/dev/null
NodeName=n2 Name=gpu File=/dev/zero
CONF
}

start_node() {
  mkdir -p "$folder/spool-$1"
  slurmd -N "$1"
}

await() {
  local what=$1
  shift
  for _ in $(seq 150); do
    if "$@" > /dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "timed out waiting for $what; see $folder/*.log" >&2
  exit 1
}

# Sends SIGTERM to a process and waits for its end; kills it after five seconds.
end() {
  for _ in $(seq 50); do
    if ! kill "$1" 2>> "$folder/stop.log"; then return; fi
    sleep 0.1
  done
  kill -9 "$1" 2>> "$folder/stop.log" || true
}

both_idle() { [ "$(sinfo -h -N -p main -t idle -o %N | wc -l)" = 2 ]; }

export SLURM_CONF=$folder/slurm.conf
case $action in
  start)
    mkdir -p "$folder/state"
    start_munged
    write_config
    slurmctld
    await slurmctld scontrol ping
    start_node n1
    start_node n2
    await 'the nodes' both_idle
    echo "$SLURM_CONF"
    ;;
  stop)
    # Read before the shutdown, because a daemon removes its file first and then waits for its jobs.
    pids=$(cat "$folder"/*.pid "$folder/munge/pid" 2> "$folder/stop.log" || true)
    scancel --signal=KILL --user root >> "$folder/stop.log" 2>&1 || true
    scontrol shutdown >> "$folder/stop.log" 2>&1 || true
    for pid in $pids; do end "$pid"; done
    ;;
  kill-node) kill -9 "$(cat "$folder/slurmd-$3.pid")" ;;
  start-node)
    start_node "$3"
    await "$3" both_idle
    ;;
  *) echo "unknown action $action" >&2; exit 2 ;;
esac
