/* Tessera: behaviour of console and portal. Served under script-src 'self', no eval, no inline code.
   Everything is delegated or bound on htmx:load, so swapped-in content works like the first page. */
(() => {
  'use strict';

  const root = document.documentElement;
  const $ = (selector, within = document) => within.querySelector(selector);
  const texts = () => ($('#texts') || {}).dataset || {};

  /* ---- CSRF: one listener, because htmx 4 no longer inherits hx-headers -------------------- */

  function csrfToken() {
    const name = document.body.dataset.csrfCookie || 'csrftoken';
    const found = document.cookie.split('; ').find((pair) => pair.startsWith(`${name}=`));
    if (found) return decodeURIComponent(found.slice(name.length + 1));
    const field = $('input[name=csrfmiddlewaretoken]');
    return field ? field.value : '';
  }

  document.addEventListener('htmx:configRequest', (event) => {
    if (!/^(get|head|options|trace)$/i.test(event.detail.verb)) {
      event.detail.headers['X-CSRFToken'] = csrfToken();
    }
  });

  /* ---- Toasts ------------------------------------------------------------------------------ */

  const LIFETIME = { ok: 5000, info: 6000, warning: 9000, error: 12000 };

  function expire(card) {
    let timer;
    const start = () => { timer = setTimeout(() => card.remove(), LIFETIME[card.dataset.kind] || LIFETIME.ok); };
    card.addEventListener('mouseenter', () => clearTimeout(timer));
    card.addEventListener('mouseleave', start);
    card.addEventListener('focusin', () => clearTimeout(timer));
    start();
  }

  function toast(message, kind = 'ok') {
    const box = $('#toasts');
    const template = $('#toast-template');
    if (!box || !template) return;
    const card = template.content.firstElementChild.cloneNode(true);
    card.dataset.kind = kind;
    $('.toast-text', card).textContent = message;
    // A modal dialog is in the top layer and hides everything else: the toast goes inside it.
    const dialog = $('dialog[open]');
    (dialog || document.body).append(box);
    while (box.children.length > 3) box.firstElementChild.remove();
    box.append(card);
    expire(card);
  }

  document.addEventListener('toast', (event) => toast(event.detail.message, event.detail.kind));

  /* ---- Errors ------------------------------------------------------------------------------ */

  document.addEventListener('htmx:responseError', (event) => {
    const { xhr } = event.detail;
    if (xhr.status === 401) {
      const signIn = xhr.getResponseHeader('X-Sign-In') || document.body.dataset.signIn;
      const next = encodeURIComponent(location.pathname + location.search);
      if (signIn) location.assign(`${signIn}${signIn.includes('?') ? '&' : '?'}next=${next}`);
      else location.reload();
      return;
    }
    if (/"toast"/.test(xhr.getResponseHeader('HX-Trigger') || '')) return;
    const id = xhr.getResponseHeader('X-Request-ID');
    const text = xhr.status === 403 ? texts().forbidden : texts().error;
    toast(id ? `${text}\n${texts().request} ${id}` : text, 'error');
  });
  for (const name of ['htmx:sendError', 'htmx:timeout']) {
    document.addEventListener(name, () => toast(texts().offline, 'error'));
  }

  /* ---- Dialog ------------------------------------------------------------------------------ */

  let opener = null;

  function closeDialog() {
    const dialog = $('#dlg');
    if (dialog && dialog.open) dialog.close();
  }

  document.addEventListener('htmx:beforeRequest', (event) => {
    const target = event.detail.target;
    if (target && target.id === 'dlg' && !target.open) opener = event.detail.elt;
  });
  document.addEventListener('htmx:afterSwap', (event) => {
    const dialog = event.detail.target;
    if (!dialog || dialog.id !== 'dlg') return;
    const wide = dialog.firstElementChild && dialog.firstElementChild.dataset.dialogWide !== undefined;
    dialog.classList.toggle('dialog-wide', Boolean(wide));
    if (!dialog.open && dialog.childElementCount) dialog.showModal();
    const wrong = $('[aria-invalid=true]', dialog);
    const first = wrong || $('[autofocus]', dialog) || $('input:not([type=hidden]):not([disabled]), select, textarea', dialog);
    if (first) first.focus();
  });
  // A long form of a page that came back with mistakes: lead to the first of them.
  document.addEventListener('htmx:afterSettle', (event) => {
    const { xhr } = event.detail;
    const wrong = xhr && xhr.status === 422 && $('main form [aria-invalid=true]');
    if (wrong && !$('dialog[open]')) wrong.focus();
  });
  document.addEventListener('dialog:close', () => {
    const page = $('main .dialog-form[data-back]');
    if (page && !$('#dlg').open) location.assign(page.dataset.back);
    else closeDialog();
  });
  document.addEventListener('close', (event) => {
    if (event.target.id !== 'dlg') return;
    document.body.append($('#toasts'));
    event.target.replaceChildren();
    if (opener && opener.isConnected) opener.focus();
    opener = null;
  }, true);

  /* ---- Confirmation: hx-confirm on anything, data-confirm on plain forms -------------------- */

  function confirm(text, source, proceed) {
    const dialog = $('#confirm');
    const ok = $('[data-confirm-ok]', dialog);
    $('#confirm-text').textContent = text;
    ok.textContent = source.dataset.confirmLabel || ok.dataset.defaultLabel;
    const danger = source.matches('.btn-danger, [data-confirm-danger]');
    ok.classList.toggle('btn-danger', danger);
    ok.classList.toggle('btn-primary', !danger);
    dialog.returnValue = '';
    dialog.addEventListener('close', () => { if (dialog.returnValue === 'ok') proceed(); }, { once: true });
    dialog.showModal();
  }

  document.addEventListener('htmx:confirm', (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    confirm(event.detail.question, event.detail.elt, () => event.detail.issueRequest(true));
  });
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (!form.dataset.confirm || form.dataset.confirmed) return;
    event.preventDefault();
    confirm(form.dataset.confirm, form, () => {
      form.dataset.confirmed = '1';
      form.requestSubmit(event.submitter);
      delete form.dataset.confirmed;
    });
  });

  /* ---- Clicks ------------------------------------------------------------------------------ */

  document.addEventListener('click', (event) => {
    const at = (selector) => event.target.closest && event.target.closest(selector);
    if (at('[data-toast-close]')) at('[data-toast]').remove();
    else if (at('[data-dialog-close]')) {
      const dialog = at('dialog');
      if (dialog) { event.preventDefault(); dialog.close(); } else if (!at('a[href]')) history.back();
    } else if (event.target.id === 'dlg') {
      // A click on the backdrop lands on the dialog itself, outside its box.
      const box = event.target.getBoundingClientRect();
      const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      if (!inside && !$('form[data-dirty]', event.target)) closeDialog();
    } else if (at('[data-copy]')) {
      navigator.clipboard.writeText(at('[data-copy]').dataset.copy).then(() => toast(texts().copied));
    } else if (at('[data-print]')) window.print();
  });
  document.addEventListener('input', (event) => {
    const form = event.target.closest('#dlg form');
    if (form) form.dataset.dirty = '1';
  });
  document.addEventListener('change', (event) => {
    if (event.target.matches('[data-submit-on-change]')) event.target.form.requestSubmit();
  });

  /* ---- Light and dark ---------------------------------------------------------------------- */

  function setTheme(theme) {
    const secure = location.protocol === 'https:' ? '; Secure' : '';
    document.cookie = `ui_theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
    root.dataset.uiTheme = theme;
    if (theme === 'auto') root.removeAttribute('data-bs-theme');
    else root.setAttribute('data-bs-theme', theme);
    document.dispatchEvent(new CustomEvent('theme:changed'));
  }

  document.addEventListener('submit', (event) => {
    if (!event.target.matches('[data-theme-form]') || !event.submitter) return;
    event.preventDefault();
    setTheme(event.submitter.value);
    for (const button of event.target.querySelectorAll('button')) button.classList.toggle('active', button === event.submitter);
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => document.dispatchEvent(new CustomEvent('theme:changed')));

  /* ---- Moving between pages ------------------------------------------------------------------ */

  document.addEventListener('htmx:beforeRequest', (event) => { if (event.detail.boosted) document.body.classList.add('is-loading'); });
  document.addEventListener('htmx:afterRequest', () => document.body.classList.remove('is-loading'));
  document.addEventListener('htmx:afterSettle', (event) => {
    if (!event.detail.target || event.detail.target.id !== 'main') return;
    const main = $('#main');
    if (main) main.focus({ preventScroll: true });
    const sidebar = $('#sidebar');
    const panel = sidebar && window.tabler && window.tabler.Offcanvas.getInstance(sidebar);
    if (panel) panel.hide();
  });

  /* ---- Parts that are bound once per piece of content ------------------------------------------ */

  let charts = null;
  const fits = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const box = target.parentElement;
      if (box) box.classList.toggle('fits', target.offsetWidth <= box.clientWidth + 1);
    }
  });

  function bind(within) {
    if (window.tabler) {
      for (const element of within.querySelectorAll('[data-bs-toggle=tooltip]')) window.tabler.Tooltip.getOrCreateInstance(element);
    }
    for (const table of within.querySelectorAll('.table-scroll > .table-sticky')) fits.observe(table);
    for (const card of within.querySelectorAll('[data-toast]')) if (!card.dataset.bound) { card.dataset.bound = '1'; expire(card); }
    const source = document.body.dataset.charts;
    if (source && within.querySelector('[data-chart]')) {
      charts = charts || import(source);
      charts.then((module) => module.draw(within));
    }
  }

  document.addEventListener('htmx:load', (event) => bind(event.detail.elt.parentElement || event.detail.elt));
  document.addEventListener('htmx:beforeCleanupElement', (event) => {
    const element = event.detail.elt;
    if (charts && element.matches && element.matches('[data-chart]')) charts.then((module) => module.dispose(element));
  });
})();
