import { AsyncResource } from 'node:async_hooks'
import { exitCode, Interruption } from '../../errors.js'
import { commandLine } from '../../text/format.js'
import { mayFollowEcho, workOnUnread, writeMessage } from '../../text/output.js'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export interface AbortOnSignals {
  readonly signal: AbortSignal
  /** Gives the signals back. */
  release(): void
}

/**
 * Aborts on Ctrl-C, SIGTERM and SIGHUP, and says so at once; a second one ends the process as it is. Until then the work
 * goes on, also where nobody reads what it says.
 */
export function abortOnSignals(reason: () => Interruption): AbortOnSignals {
  const controller = new AbortController()
  // Bound to where this was called: what it says belongs to that run's output.
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

/** Says how to go on: the same command with --resume. */
export function interruptionOf(folder: string, configFile: string): Interruption {
  return new Interruption({
    problem: 'interrupted; the last whole epoch is saved',
    subject: folder,
    hint: `Go on with the same command and --resume (eigenae train --config ${commandLine([configFile])} … --resume).`,
  })
}
