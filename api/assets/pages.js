// Small conveniences; every page works without them.
(function () {
  'use strict';
  // A choice in a list is taken at once, and its button goes.
  document.querySelectorAll('form[data-now]').forEach(function (form) {
    form.querySelectorAll('button').forEach(function (b) { b.hidden = true; });
    form.addEventListener('change', function () { form.submit(); });
  });
  // A fragment that lives fetches itself again while the page is looked at.
  document.querySelectorAll('[data-refresh]').forEach(function (box) {
    const every = Math.max(5, Number(box.dataset.every) || 15) * 1000;
    setInterval(function () {
      if (document.hidden) return;
      fetch(box.dataset.refresh, { credentials: 'same-origin', headers: { Accept: 'text/html' } })
        .then(function (r) { if (!r.ok) throw new Error(r.status); return r.text(); })
        .then(function (html) { box.innerHTML = html; box.classList.remove('stale'); })
        .catch(function () { box.classList.add('stale'); });
    }, every);
  });
}());
