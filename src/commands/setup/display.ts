import type { Observer } from '../../setup/observer.js'
import { Bars } from '../../text/bars.js'
import { writeMessage } from '../../text/output.js'

export interface SetupDisplay extends Observer {
  stop(): void
}

/** A line a step; under it on a terminal a bar while something is downloaded, and elsewhere its size. */
export function setupDisplay(): SetupDisplay {
  const bars = process.stderr.isTTY ? new Bars() : null
  let sized = false
  const stop = () => bars?.stop()
  return {
    step: (what) => {
      stop()
      sized = false
      writeMessage(`- ${what}`)
    },
    progress: (done, total) => {
      if (bars === null && !sized) writeMessage(`  ${megabytes(total)} MB`)
      sized = true
      const text = `${megabytes(done)} of ${megabytes(total)} MB`
      bars?.show([{ done, total, text, cells: 20, indent: 2 }])
    },
    stop,
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)
}
