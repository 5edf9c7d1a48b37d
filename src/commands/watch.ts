import { Command } from 'commander'
import { Interruption } from '../errors.js'
import { namedFolder } from '../files/folder.js'
import { Screen, writeMessage, writeResult } from '../text/output.js'
import { type FlagsOf, wholeNumber } from './shared/options.js'
import { abortOnSignals } from './shared/signals.js'

export const watchCommand = () => declaration().action(watch)

type WatchFlags = FlagsOf<typeof declaration>

function declaration() {
  return new Command('watch')
    .description('Show the runs in a folder live on a page: state, curves and the report, while they train')
    .argument('[folder]', 'folder to watch, at any depth', 'runs')
    .option(
      '--host <address>',
      'address of this machine to serve at; other machines reach the page only at another than the default',
      '127.0.0.1',
    )
    .option('--port <number>', 'port to serve at; 0 for any free one', wholeNumber('--port', 0), 0)
    .option('--terminal', 'show the same as text in this terminal, without a page', false)
    .addHelpText(
      'after',
      `
The page needs the whole printed address, whose token keeps other users out. The watch only reads files: start and end it at
any time, on any machine that has the folder. Ctrl-C ends it. If its output is not a terminal, --terminal prints the state once.

Examples:
  eigenae watch runs/arms
  ssh -L 8000:127.0.0.1:8000 cluster eigenae watch runs/arms --port 8000`,
    )
}

async function watch(argument: string, flags: WatchFlags): Promise<void> {
  const folder = namedFolder(argument)
  const { signal, release } = abortOnSignals(
    () => new Interruption({ problem: 'the watch has ended', subject: folder }),
  )
  try {
    await (flags.terminal ? showInTerminal(folder, signal) : serve(folder, flags, signal))
  } finally {
    release()
  }
}

async function serve(folder: string, { host, port }: WatchFlags, signal: AbortSignal): Promise<void> {
  // Imported here so that other commands start without loading the chart libraries.
  const { serveWatch } = await import('../pages/watch/serve.js')
  const onListening = (address: string) => {
    writeMessage(`watching ${folder}; Ctrl-C ends this`)
    writeResult(address)
  }
  await serveWatch(folder, { host, port, onListening }, signal)
}

/** Draws on the whole terminal, and leaves the last state there; elsewhere, prints the state once. */
async function showInTerminal(folder: string, signal: AbortSignal): Promise<void> {
  const { describeWatch } = await import('../pages/watch/screen.js')
  if (!process.stdout.isTTY) {
    const onLines = (lines: readonly string[]) => writeResult(lines.join('\n'))
    return describeWatch(folder, { size: () => null, onLines, once: true }, signal)
  }
  const screen = new Screen()
  let last: readonly string[] = []
  const onLines = (lines: readonly string[]) => {
    last = lines
    screen.draw(lines)
  }
  try {
    await describeWatch(folder, { size: () => screen.size, onLines, once: false }, signal)
  } finally {
    screen.close()
  }
  writeResult(last.join('\n'))
}
