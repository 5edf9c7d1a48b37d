import type { LiveReport } from '../watch/state.js'
import { Report } from './report-view.js'

/** The report below the state, which is fetched again when runs have changed. */
export class LiveResults {
  readonly #element = document.getElementById('report')!
  readonly #contents = document.querySelector('nav ul')!
  #html = ''
  #report: Report | null = null
  #life = new AbortController()
  #isFetching = false
  #isStale = false

  constructor() {
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && this.#isStale) this.refresh()
    })
  }

  /** Fetches the report; if that is in progress, once more after it. A page in the background waits until it is shown. */
  refresh(): void {
    this.#isStale = true
    if (this.#isFetching || document.hidden) return
    this.#isFetching = true
    this.#isStale = false
    void fetch('report.json')
      .then((response) => response.json() as Promise<LiveReport | null>)
      .then((report) => (report === null ? undefined : this.#show(report)))
      // The connection's state is shown by main.ts.
      .catch(() => undefined)
      .finally(() => {
        this.#isFetching = false
        if (this.#isStale) this.refresh()
      })
  }

  async #show({ html, contents, data }: LiveReport): Promise<void> {
    if (html !== this.#html || this.#report === null) {
      this.#html = html
      const hidden = [...(this.#report?.hidden ?? [])]
      this.#life.abort()
      this.#life = new AbortController()
      const restore = chosenValues(this.#element)
      // Until its tables and charts are drawn, the page must not be shorter, which would scroll it.
      this.#element.style.minHeight = `${this.#element.offsetHeight}px`
      // The server has escaped all text from runs, as in report.html.
      this.#element.innerHTML = html
      this.#showContents(contents)
      this.#report = new Report(data, { lazy: true, signal: this.#life.signal, hidden })
      const drawn = this.#report.show(data)
      restore()
      await drawn
      this.#element.style.removeProperty('min-height')
    } else await this.#report.show(data)
    document.body.dataset.reports = String(Number(document.body.dataset.reports ?? 0) + 1)
  }

  #showContents(contents: LiveReport['contents']): void {
    for (const old of this.#contents.querySelectorAll('[data-live]')) old.remove()
    for (const { id, title } of contents) {
      const entry = document.createElement('li')
      entry.dataset.live = ''
      const link = document.createElement('a')
      link.href = `#${id}`
      link.textContent = title
      entry.append(link)
      this.#contents.append(entry)
    }
  }
}

/** Returns a function that chooses again what the reader has chosen and the page has not. */
function chosenValues(element: HTMLElement): () => void {
  const chosen = Array.from(
    element.querySelectorAll<HTMLSelectElement | HTMLInputElement>('select, input'),
    (control) => ({ id: control.id, state: stateOf(control) }),
  )
  return () => {
    for (const { id, state } of chosen) {
      const control = document.getElementById(id)
      const isControl = control instanceof HTMLInputElement || control instanceof HTMLSelectElement
      if (!isControl || stateOf(control) === state) continue
      if (control instanceof HTMLInputElement) control.checked = state === true
      else if (Array.from(control.options).some(({ value }) => value === state)) control.value = String(state)
      else continue
      control.dispatchEvent(new Event('change'))
    }
  }
}

/** Returns whether a box is checked, or the chosen value. */
function stateOf(control: HTMLSelectElement | HTMLInputElement): string | boolean {
  return control instanceof HTMLInputElement ? control.checked : control.value
}
