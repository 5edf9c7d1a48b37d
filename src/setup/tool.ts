import { spawn } from 'node:child_process'

export interface ToolOptions {
  readonly environment?: NodeJS.ProcessEnv
  /** Ends the tool; the call then throws the signal's reason. */
  readonly signal?: AbortSignal
  /** Each line of stdout as it comes. */
  readonly onLine?: (line: string) => void
}

export interface ToolEnding {
  /** Null where a signal ended it, or where it could not be started. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly found: boolean
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, whatever that is. */
export async function runTool(
  command: string,
  args: readonly string[],
  { environment, signal, onLine }: ToolOptions = {},
): Promise<ToolEnding> {
  signal?.throwIfAborted()
  const child = spawn(command, args, { env: environment ?? process.env, stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = () => child.kill('SIGTERM')
  signal?.addEventListener('abort', stop)
  let stdout = ''
  let stderr = ''
  let line = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    const lines = (line + text).split('\n')
    line = lines.pop()!
    for (const each of lines) onLine?.(each)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ending = await new Promise<ToolEnding>((resolve) => {
    child.on('error', () => resolve({ code: null, signal: null, found: false, stdout, stderr }))
    child.on('close', (code, ended) => resolve({ code, signal: ended, found: true, stdout, stderr }))
  })
  signal?.removeEventListener('abort', stop)
  signal?.throwIfAborted()
  return ending
}
