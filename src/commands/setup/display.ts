import { Presets, SingleBar } from 'cli-progress'
import type { Observer } from '../../setup/observer.js'
import { writeMessage } from '../../terminal/output.js'

export interface SetupDisplay extends Observer {
  stop(): void
}

/** A line a step; under it on a terminal a bar while something is downloaded, and elsewhere its size. */
export function setupDisplay(): SetupDisplay {
  const bar = process.stderr.isTTY ? newBar() : null
  let sized = false
  const stop = () => bar?.stop()
  return {
    step: (what) => {
      stop()
      sized = false
      writeMessage(`- ${what}`)
    },
    progress: (done, total) => {
      if (bar === null && !sized) writeMessage(`  ${megabytes(total)} MB`)
      if (bar !== null && !sized) bar.start(total, done, words(done, total))
      else bar?.update(done, words(done, total))
      sized = true
    },
    stop,
  }
}

function newBar(): SingleBar {
  return new SingleBar(
    {
      stream: process.stderr,
      format: '  {bar} {done} of {size} MB',
      barsize: 20,
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
    },
    Presets.shades_classic,
  )
}

function words(done: number, total: number) {
  return { done: megabytes(done), size: megabytes(total) }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)
}
