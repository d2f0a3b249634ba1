/* Search where the site is opened from a folder: a browser gives a file:// page no Worker, so the script runs in a hidden frame instead.
   Named like the shim that the theme would fetch from a CDN, which it then leaves out (mkdocs.yml, extra.polyfills). */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.waiting = []
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      this.inner = frame.contentWindow
      window.addEventListener("message", event => {
        if (event.source !== this.inner || !event.data || !("worker" in event.data)) return
        const told = new MessageEvent("message", { data: event.data.worker })
        this.dispatchEvent(told)
        if (this.onmessage) this.onmessage(told)
      })
      const page = this.inner.document
      page.open()
      page.write(`<script>var postMessage = data => parent.postMessage({ worker: data }, "*")<\/script><script src="${url}"><\/script>`)
      page.close()
      frame.addEventListener("load", () => { const held = this.waiting; this.waiting = null; held.forEach(data => this.postMessage(data)) })
    }
    postMessage(data) {
      if (this.waiting) this.waiting.push(data)
      else this.inner.dispatchEvent(new this.inner.MessageEvent("message", { data }))
    }
    terminate() {}
  }
}
