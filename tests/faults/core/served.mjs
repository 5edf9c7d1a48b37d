// A process that serves many calls of the command line one after another, because starting Node takes longer than most
// calls. It reads { args, cwd } as messages and writes { code, stdout, stderr } as lines.
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './command.mjs'

const { main } = await import(join(root, 'dist/bundled/cli.js'))

let call = null
for (const name of ['stdout', 'stderr']) {
  process[name].write = (text) => {
    if (call !== null) call[name] += text
    return true
  }
}

process.on('message', async ({ args, cwd }) => {
  process.chdir(cwd)
  call = { stdout: '', stderr: '' }
  const code = await main([process.execPath, 'eigenae', ...args])
  answer(code)
  // Removes listeners that would have ended with the process of the call.
  process.removeAllListeners('uncaughtException')
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error')
})

// Thrown in place of ending the process.
process.on('exit', (code) => call !== null && answer(code))

function answer(code) {
  const bytes = Buffer.from(`${JSON.stringify({ code, ...call })}\n`)
  call = null
  for (let written = 0; written < bytes.length; ) written += writeSync(1, bytes, written)
}
