import { createInterface } from 'node:readline/promises'

/**
 * What becomes of a cluster's jobs at Ctrl-C. Where nobody can be asked they go on: a lost connection to a login node
 * must not end a night's work.
 */
export async function askCancelOrDetach(): Promise<'cancel' | 'detach'> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return 'detach'
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // A second Ctrl-C while the question stands is an answer, too: the terminal gives it to readline, not to the process.
  const leave = new AbortController()
  terminal.on('SIGINT', () => leave.abort())
  try {
    const question = 'Jobs are at work in Slurm. Cancel them (c), or leave them running (Enter)? '
    const answer = await terminal.question(question, { signal: leave.signal })
    return answer.trim().toLowerCase().startsWith('c') ? 'cancel' : 'detach'
  } catch {
    return 'detach'
  } finally {
    terminal.close()
  }
}
