// Sends files to the server's own route, one after the other, straight from the disk: neither the browser nor the server
// holds a file in memory. A broken connection or a cancel leaves nothing behind on the server. Where the dialog goes before
// the visitor has dismissed what was broken off, as it does when the page finds another server, the page says it instead.

const uploaders = new WeakMap();

export default function (component) {
  const root = component.parentElement;
  if (!uploaders.has(root)) uploaders.set(root, new Uploader(root));
  const uploader = uploaders.get(root);
  uploader.data = component.data;
  uploader.tell = component.setTriggerValue;
  root.querySelector('.limit').textContent = component.data.limit_text;
  return () => { uploader.close(); uploaders.delete(root); };
}

function cookie(name) {
  const found = document.cookie.split('; ').find(part => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : '';
}

function size(bytes) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0, value = bytes;
  while (value >= 999.5 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3))} ${units[unit]}`;
}

// A sentence that stays on the page, whatever is shown there, until it is dismissed.
function notice(root, text) {
  const look = getComputedStyle(root.host || root), color = (name, other) => look.getPropertyValue(name).trim() || other;
  const box = document.createElement('div'), words = document.createElement('span'), dismiss = document.createElement('button');
  box.className = 'augviz-notice';
  box.setAttribute('role', 'alert');
  Object.assign(box.style, { position: 'fixed', right: '16px', bottom: '16px', zIndex: '1000', maxWidth: '420px', display: 'flex',
    gap: '12px', alignItems: 'center', padding: '12px 16px', borderRadius: '8px', font: '14px/1.4 var(--st-font, sans-serif)',
    color: color('--st-red-text-color', '#b3261e'), background: color('--st-background-color', '#fff'),
    border: `1px solid ${color('--st-border-color', '#d3d6da')}`, boxShadow: '0 4px 16px rgba(0, 0, 0, 0.2)', overflowWrap: 'anywhere' });
  Object.assign(dismiss.style, { font: 'inherit', color: color('--st-text-color', '#31333f'), background: 'none', border: 'none',
    textDecoration: 'underline', cursor: 'pointer' });
  words.textContent = text;
  dismiss.type = 'button'; dismiss.textContent = 'Dismiss';
  dismiss.onclick = () => box.remove();
  box.append(words, dismiss);
  document.body.append(box);
}

class Uploader {
  constructor(root) {
    this.root = root;
    this.broken = [];
    this.rows = root.querySelector('.rows');
    this.queue = [];
    this.row = null;
    const drop = root.querySelector('.drop'), input = root.querySelector('input');
    root.querySelector('.pick').onclick = () => input.click();
    input.onchange = () => { this.add([...input.files]); input.value = ''; };
    drop.ondragover = event => { event.preventDefault(); drop.classList.add('over'); };
    drop.ondragleave = () => drop.classList.remove('over');
    drop.ondrop = event => { event.preventDefault(); drop.classList.remove('over'); this.add([...event.dataTransfer.files]); };
  }

  add(files) {
    const alone = files.length === 1 && !this.queue.length && !this.row;
    for (const file of files) this.queue.push(this.line(file, alone));
    this.next();
  }

  line(file, alone) {
    const item = document.createElement('li');
    const row = { file, alone, item, name: document.createElement('span'), cancel: document.createElement('button'),
      bar: document.createElement('progress'), state: document.createElement('span') };
    row.name.className = 'name'; row.name.textContent = file.name; row.name.title = file.name;
    row.cancel.type = 'button'; row.cancel.textContent = 'Cancel'; row.cancel.setAttribute('aria-label', `Cancel ${file.name}`);
    row.cancel.onclick = () => this.stop(row);
    row.bar.max = 1; row.bar.value = 0; row.bar.setAttribute('aria-label', `Sent of ${file.name}`);
    row.state.className = 'state'; row.state.textContent = `${size(file.size)}, waiting`;
    item.append(row.name, row.cancel, row.bar, row.state);
    this.rows.append(item);
    return row;
  }

  next() {
    if (this.row || !this.queue.length) return;
    const row = this.row = this.queue.shift();
    if (row.file.size > this.data.limit_bytes) { this.fail(row, `${row.file.name}: the file is larger than the limit of ${size(this.data.limit_bytes)}.`); return; }
    const request = row.request = new XMLHttpRequest(), began = performance.now();
    const address = new URL(this.data.address, document.baseURI);
    address.searchParams.set('name', row.file.name);
    request.open('PUT', address);
    request.setRequestHeader('X-Xsrftoken', cookie('_streamlit_xsrf'));
    request.upload.onprogress = event => {
      row.bar.value = event.total ? event.loaded / event.total : 0;
      const seconds = (performance.now() - began) / 1000;
      row.state.textContent = `${size(event.loaded)} of ${size(event.total)}, ${size(event.loaded / Math.max(seconds, 0.1))}/s`;
    };
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText) || {}; } catch { /* not of our server: it is the proxy that says something */ }
      if (answer.id) this.done(row, answer);
      else if (answer.error && request.status !== 403) this.fail(row, answer.error);
      // A browser sends it again by itself, to the next server if that is there already, which does not know this page's session.
      else if (answer.error) this.breakOff(row, `${row.file.name} was not kept: ${answer.error}`);
      else this.breakOff(row, `${row.file.name}: the server cannot be reached (${request.status}); nothing was kept, so send it again.`);
    };
    request.onerror = () => this.breakOff(row, `${row.file.name}: the connection broke; nothing was kept, so send it again.`);
    request.onabort = () => this.fail(row, 'Cancelled; nothing was kept.');
    request.send(row.file);
  }

  done(row, answer) {
    row.item.remove();
    this.row = null;
    this.tell('done', { id: answer.id, alone: row.alone, left: this.queue.length });
    this.next();
  }

  breakOff(row, words) {
    this.broken.push({ row, words });
    this.fail(row, words);
  }

  fail(row, words) {
    row.bar.remove(); row.state.textContent = words; row.state.classList.add('failed'); row.state.setAttribute('role', 'alert');
    row.cancel.textContent = 'Dismiss'; row.cancel.onclick = () => this.dismiss(row);
    if (this.row === row) this.row = null;
    this.next();
  }

  dismiss(row) {
    this.broken = this.broken.filter(one => one.row !== row);
    row.item.remove();
  }

  stop(row) {
    if (this.row === row) { row.request.abort(); return; }
    this.queue = this.queue.filter(other => other !== row);
    row.item.remove();
  }

  close() {
    const lost = this.broken.map(one => one.words), more = this.queue.length;
    if (this.row) lost.push(`${this.row.file.name}: the dialog was closed before all of it was sent; nothing was kept.`);
    if (more) lost.push(more === 1 ? `${this.queue[0].file.name} was not sent.` : `${more} more files were not sent.`);
    this.queue = []; this.broken = [];
    if (this.row && this.row.request) this.row.request.abort();
    if (lost.length) notice(this.root, lost.join(' '));
  }
}
