import { AsyncResource } from 'node:async_hooks'
import { exitCode, Interruption } from '../../errors.js'
import { commandLine, eigenaeCommand } from '../../text/command-line.js'
import { mayFollowEcho, workOnUnread, writeMessage } from '../../text/output.js'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Aborts on Ctrl-C, SIGTERM and SIGHUP and prints "stopping …"; a second signal ends the process at once. Until
 * `release`, the process keeps working even if its output is closed.
 */
export function abortOnSignals(reason: () => Interruption): {
  readonly signal: AbortSignal
  release(): void
} {
  const controller = new AbortController()
  // Bound to the caller's async context, so that the message goes to the output of its run.
  const onSignal = AsyncResource.bind(() => {
    if (controller.signal.aborted) process.exit(exitCode.interrupted)
    writeMessage(mayFollowEcho() ? '\nstopping …' : 'stopping …')
    controller.abort(reason())
  })
  for (const name of signals) process.on(name, onSignal)
  const stopWorkingUnread = workOnUnread()
  return {
    signal: controller.signal,
    release: () => {
      for (const name of signals) process.off(name, onSignal)
      stopWorkingUnread()
    },
  }
}

/** `executeRun` adds the saved epoch of a run. */
const problems = {
  train: 'interrupted',
  sweep: 'interrupted; the last completed epoch of each run is saved',
} as const

/** Returns the reason to abort a run or a sweep, with the command that resumes it as the hint. */
export function interruptionOf(
  command: keyof typeof problems,
  folder: string,
  configFile: string,
): Interruption {
  const resume = eigenaeCommand(`${command} --config ${commandLine([configFile])} … --resume`)
  return new Interruption({
    problem: problems[command],
    subject: folder,
    hint: `To resume, repeat the command with --resume (${resume}).`,
  })
}
