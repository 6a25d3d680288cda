// Sets the colour scheme before the first paint, so that a dark screen does not flash white. A file of its own, because the
// server's content policy forbids inline scripts.
;(function () {
  var chosen = 'auto'
  try {
    chosen = localStorage.getItem('belfry-scheme') || 'auto'
  } catch {
    // Storage may be switched off; the system's choice stands.
  }
  var dark = chosen === 'dark' || (chosen === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light')
})()
