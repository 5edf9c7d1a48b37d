import { existsSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { scratchFolder } from '../support/cli.js'
import { type ExportCase, exportCases, imageCount, makeExports, snippetOf } from '../support/exports.js'
import { chromiumPath, describeUnless, noChromium } from '../support/requirements.js'

const tensorflow = join(import.meta.dirname, '../../node_modules/@tensorflow/tfjs/dist/tf.min.js')
const noTensorflow = existsSync(tensorflow) ? null : `no ${tensorflow} (npm ci)`

const scratch = scratchFolder()
const cases = exportCases(['tfjs'])

describeUnless(noChromium ?? noTensorflow, 'a model in TensorFlow.js in Chromium', () => {
  let browser: Browser
  let server: Server
  let address: string

  beforeAll(async () => {
    await makeExports(scratch, cases)
    server = createServer((request, response) => {
      const path = decodeURI(request.url!)
      const content = contentAt(path)
      if (path.endsWith('.html')) response.setHeader('content-type', 'text/html')
      response.writeHead(content === null ? 404 : 200).end(content)
    }).listen(0)
    address = `http://localhost:${(server.address() as AddressInfo).port}`
    browser = await chromium.launch({ executablePath: chromiumPath })
  }, 300_000)

  afterAll(async () => {
    server?.close()
    await browser?.close()
  })

  function contentAt(path: string): string | Buffer | null {
    if (path.endsWith('/page.html'))
      return '<link rel="icon" href="data:,"><script src="/tf.min.js"></script>'
    const file = path === '/tf.min.js' ? tensorflow : scratch(path.slice(1))
    return existsSync(file) ? readFileSync(file) : null
  }

  /** Runs the README's code in a page of the folder. */
  async function largestDifference(each: ExportCase): Promise<unknown> {
    const page = await browser.newPage()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    await page.goto(`${address}/${each.folder}/page.html`)
    const result = await page.evaluate(`(async () => {
      const read = async (name) => new Float32Array(await (await fetch('../' + name)).arrayBuffer())
      // Without a graphics card, Chromium computes WebGL in software, which is slower and tests nothing more.
      await tf.setBackend('cpu')
      const pixels = await read('${each.inputFile}')
      const ${each.input} = tf.tensor2d(pixels, [${imageCount}, pixels.length / ${imageCount}])
      ${snippetOf(scratch(each.folder))}
      const [found, expected] = [await ${each.output}.data(), await read('${each.expectedFile}')]
      if (found.length !== expected.length) throw new Error(found.length + ' numbers')
      return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i])), 0)
    })()`)
    await page.close()
    expect(problems).toEqual([])
    return result
  }

  it.each(cases)('gives the numbers of the engine with the code in the README: $title', async (each) => {
    expect(await largestDifference(each)).toBeLessThan(1e-5)
  })
})
