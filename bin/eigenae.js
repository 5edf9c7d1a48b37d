#!/usr/bin/env node
import inspector from 'node:inspector'

// Node answers SIGUSR1 by opening its debugger to every user of the machine, where clusters mean "save and end". It is
// handled before anything else is read, as SIGTERM is.
const end = () => process.kill(process.pid, 'SIGTERM')
process.on('SIGUSR1', end)

// The signal may have come while Node itself was starting.
const asked = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((flag) => flag.includes('--inspect'))
function endIfDebugged() {
  if (asked || inspector.url() === undefined) return
  inspector.close()
  end()
}

endIfDebugged()
const { main } = await import('../dist/bundled/cli.js')
endIfDebugged()
process.exitCode = await main(process.argv)
