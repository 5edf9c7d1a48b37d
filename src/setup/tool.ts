import { spawn } from 'node:child_process'

/** Receives the progress of a setup. */
export interface SetupObserver {
  /** A step of the setup begins. */
  readonly step: (text: string) => void
  /** Bytes of the current step's download. */
  readonly progress: (done: number, total: number) => void
}

export interface ToolOptions {
  readonly environment?: NodeJS.ProcessEnv
  /** Ends the program; the call then throws the signal's reason. */
  readonly signal?: AbortSignal
  /** Called with each line of stdout when it arrives. */
  readonly onLine?: (line: string) => void
}

export interface ToolResult {
  /** Whether the program could be started. */
  readonly found: boolean
  /** Null if a signal ended it, or if it could not be started. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. A failure is a result, not an error. */
export async function runTool(
  command: string,
  args: readonly string[],
  { environment, signal, onLine }: ToolOptions = {},
): Promise<ToolResult> {
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
  const result = await new Promise<ToolResult>((resolve) => {
    child.on('error', () => resolve({ code: null, signal: null, found: false, stdout, stderr }))
    child.on('close', (code, ended) => resolve({ code, signal: ended, found: true, stdout, stderr }))
  })
  signal?.removeEventListener('abort', stop)
  signal?.throwIfAborted()
  return result
}
