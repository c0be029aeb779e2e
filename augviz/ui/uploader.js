// Sends files to the server's own route, one after the other, straight from the disk: neither the browser nor the server
// holds a file in memory. A broken connection or a cancel leaves nothing behind on the server.

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

class Uploader {
  constructor(root) {
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
      try { answer = JSON.parse(request.responseText); } catch { answer = { error: `The server answered ${request.status}.` }; }
      if (answer.id) this.done(row, answer);
      else this.fail(row, answer.error || `The server answered ${request.status}.`);
    };
    request.onerror = () => this.fail(row, `${row.file.name}: the connection broke; nothing was kept.`);
    request.onabort = () => this.fail(row, 'Cancelled; nothing was kept.');
    request.send(row.file);
  }

  done(row, answer) {
    row.item.remove();
    this.row = null;
    this.tell('done', { id: answer.id, alone: row.alone, left: this.queue.length });
    this.next();
  }

  fail(row, words) {
    row.bar.remove(); row.state.textContent = words; row.state.classList.add('failed'); row.state.setAttribute('role', 'alert');
    row.cancel.textContent = 'Dismiss'; row.cancel.onclick = () => row.item.remove();
    if (this.row === row) this.row = null;
    this.next();
  }

  stop(row) {
    if (this.row === row) { row.request.abort(); return; }
    this.queue = this.queue.filter(other => other !== row);
    row.item.remove();
  }

  close() {
    this.queue = [];
    if (this.row && this.row.request) this.row.request.abort();
  }
}
