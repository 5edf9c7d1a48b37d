declare module 'mnist-dataset' {
  /** Downloads by plain http and unzips. Neither the status nor the length is looked at, and nothing times out. */
  export function gunzipUrl(url: string): Promise<Buffer>
}
