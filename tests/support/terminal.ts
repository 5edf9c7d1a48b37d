import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import xterm from '@xterm/headless'
import { commandLine } from '../../src/text/command-line.js'

const bin = join(import.meta.dirname, '../../bin/eigenae.js')

/** util-linux's script runs a command on a pseudo-terminal. */
const found = spawnSync('script', ['--version']).status === 0
export const noScript = found ? null : 'no command "script" (Debian: apt-get install bsdutils)'

export interface TerminalOptions {
  readonly columns?: number
  readonly rows?: number
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** Ctrl-C is pressed once this text has appeared. */
  readonly interruptAt?: string
}

export interface Shown {
  readonly code: number | null
  /** All bytes written to the terminal. */
  readonly output: string
  /** The final lines of the terminal, including those scrolled out of view. A wrapped line counts as one. */
  readonly lines: readonly string[]
  readonly cursorHidden: boolean
}

/** The shell's prompt after the command. */
export const prompt = 'PROMPT>'

/** Runs the command line on a real terminal, as a shell would, until its prompt is back. */
export async function onTerminal(args: readonly string[], options: TerminalOptions): Promise<Shown> {
  const { columns = 80, rows = 24, cwd, env, interruptAt } = options
  const command = commandLine([process.execPath, bin, ...args])
  const shell = `trap : INT; stty cols ${columns} rows ${rows}; ${command}; code=$?; printf '${prompt}'; exit $code`
  const child = spawn('script', ['-qec', shell, '/dev/null'], { cwd, env: { ...process.env, ...env } })
  let output = ''
  let interrupted = interruptAt === undefined
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (text: string) => {
    output += text
    if (interrupted || !output.includes(interruptAt!)) return
    interrupted = true
    child.stdin.write('\x03')
  })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, output, ...(await screenOf(output, columns, rows)) }
}

async function screenOf(output: string, cols: number, rows: number) {
  const terminal = new xterm.Terminal({ cols, rows, scrollback: 100_000, allowProposedApi: true })
  await new Promise<void>((resolve) => terminal.write(output, resolve))
  const lines: string[] = []
  for (let row = 0; row < terminal.buffer.active.length; row++) {
    const line = terminal.buffer.active.getLine(row)!
    // If a row continues in the next one, its trailing blanks are part of the line.
    const continues = terminal.buffer.active.getLine(row + 1)?.isWrapped === true
    const text = line.translateToString(!continues)
    if (line.isWrapped) lines[lines.length - 1] += text
    else lines.push(text)
  }
  terminal.dispose()
  while (lines.at(-1) === '') lines.pop()
  return { lines, cursorHidden: output.lastIndexOf('\x1b[?25l') > output.lastIndexOf('\x1b[?25h') }
}
