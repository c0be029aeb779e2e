// The viewer of Inspect: Leaflet shows tiles that our own route makes of the original through the pipeline. Zoom 0 is
// full size; below it a tile shows 2**-zoom pixels as one, above it pixels are enlarged as squares. A place and a way of
// looking are kept when the pipeline changes, and when another page was looked at in between.

const TILE = 256;
const HIGHEST_ZOOM = 5;
const TRIES = 20; // of a tile that a busy server had no room for
const MODES = [['Result', 'R'], ['Original', 'O'], ['Curtain', 'C'], ['Side by side', 'S']];
const inspectors = new WeakMap();
const kept = new Map(); // image -> where its viewer stood, and how: another page unmounts the component

export default function (component) {
  const root = component.parentElement;
  if (!inspectors.has(root)) inspectors.set(root, new Inspector(root));
  const inspector = inspectors.get(root);
  inspector.update(component);
  return () => { inspector.close(); inspectors.delete(root); };
}

let leaflet = null;
function loaded(address) {
  leaflet ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = address;
    script.onload = () => resolve(window.L.noConflict());
    script.onerror = () => { leaflet = null; reject(new Error('The viewer could not be loaded; reload the page.')); };
    document.head.append(script);
  });
  return leaflet;
}

function el(name, classes, ...children) {
  const node = document.createElement(name);
  if (classes) node.className = classes;
  node.append(...children);
  return node;
}

function number(value) {
  if (typeof value === 'string') return value === 'nan' ? 'NaN' : value.replace('-', '−');
  if (value === null || value === undefined || !Number.isFinite(value)) return 'none';
  return (Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)))).replace('-', '−');
}

// As long as a busy server asks to wait.
function paused(answer) {
  return new Promise(done => setTimeout(done, 1000 * (Number(answer.headers.get('Retry-After')) || 2)));
}

class Inspector {
  constructor(root) {
    this.root = root;
    this.section = root.querySelector('.inspector');
    this.stage = root.querySelector('.stage');
    this.mode = 'Result';
    this.curtain = 0.5;
    this.asking = null;
    this.failing = new Set(); // tiles whose image could not be had, until it is known why
    this.layers = {}; // 'after', 'before', 'twin' -> the layer that is shown
    const modes = this.section.querySelector('.modes');
    for (const [mode, key] of MODES) {
      const button = el('button', '', mode);
      button.type = 'button';
      button.title = mode === 'Original' ? 'The original (O, and back again)' : `${mode} (${key})`;
      button.onclick = () => this.look(mode);
      modes.append(button);
    }
    for (const button of this.section.querySelectorAll('[data-act]')) button.onclick = () => this.act(button.dataset.act);
    this.section.querySelector('.goto').onsubmit = event => { event.preventDefault(); this.jump(event.target); };
    this.section.onkeydown = event => this.key(event);
    this.slide(this.section.querySelector('.slider'));
    this.section.querySelector('.overview').onclick = event => this.overviewClicked(event);
  }

  async update(component) {
    this.tell = component.setTriggerValue;
    const data = component.data, older = this.data;
    this.data = data;
    this.section.dataset.key = data.key;
    this.say(data.trouble || '');
    this.warn('');
    this.section.classList.toggle('troubled', !data.key);
    if (!data.key) { this.section.setAttribute('aria-busy', 'false'); this.section.dataset.shownKey = ''; this.clearProbe(); return; }
    this.notes();
    try {
      this.L ??= await loaded(`${data.base}leaflet/leaflet.js`);
    } catch (error) { this.say(error.message); return; }
    if (this.data !== data) return; // a newer one has come meanwhile
    if (!this.map) this.build();
    else if (older.image !== data.image) this.place(kept.get(data.image));
    this.show();
    if (!older || older.key !== data.key) this.clearProbe();
    this.reveal(data.measured);
  }

  // The maps, once.
  build() {
    const L = this.L;
    const style = el('link');
    style.rel = 'stylesheet';
    style.href = `${this.data.base}leaflet/leaflet.css`;
    this.section.prepend(style);
    const options = {
      crs: L.CRS.Simple, attributionControl: false, zoomControl: false, zoomAnimation: false, fadeAnimation: false,
      inertia: false, maxZoom: HIGHEST_ZOOM, wheelPxPerZoomLevel: 120, keyboard: true, trackResize: false,
    };
    const Chart = mapClass(L);
    this.map = new Chart(this.section.querySelector('.main'), options);
    this.twin = new Chart(this.section.querySelector('.twin'), { ...options, keyboard: false });
    for (const [map, name] of [[this.map, 'after'], [this.map, 'before'], [this.twin, 'twin']]) {
      map.createPane(name).style.zIndex = name === 'before' ? 250 : 200;
    }
    this.map.on('move zoom viewreset resize', () => this.moved());
    this.twin.on('move', () => this.follow(this.twin, this.map));
    for (const map of [this.map, this.twin]) {
      map.on('mousemove', event => this.pointed(event.latlng));
      map.on('mouseout', () => { this.section.querySelector('.position').hidden = true; });
      map.on('click', event => this.probe(event.latlng));
    }
    this.resizer = new ResizeObserver(() => this.settle());
    this.resizer.observe(this.stage);
    this.place(kept.get(this.data.image));
  }

  // Where to look: a place that was kept, or the whole result.
  place(where) {
    for (const map of [this.map, this.twin]) map.setMinZoom(-this.data.sizes.length);
    if (where) { this.mode = where.mode; this.curtain = where.curtain; this.map.setView(where.center, where.zoom, { animate: false }); } else this.fit();
  }

  fit() {
    const { width, height } = this.data, size = this.map.getSize();
    const zoom = Math.min(0, Math.floor(Math.log2(Math.min(size.x / width, size.y / height))));
    this.map.setView([-height / 2, width / 2], zoom, { animate: false });
  }

  show() {
    const data = this.data;
    this.layer('after', this.map, data.key, data, { x: 0, y: 0 });
    const [across, down] = data.resized, shift = { x: data.shift[0], y: data.shift[1] };
    // The original is shown as large as the result: by a finer or coarser level, and stretched to what is left.
    const before = { width: data.source.width * across, height: data.source.height * down, sizes: data.source.sizes,
      finer: Math.floor(Math.log2(1 / Math.max(across, down)) + 1e-9) };
    this.layer('before', this.map, data.source_key, before, shift);
    this.layer('twin', this.twin, data.source_key, before, shift);
    for (const map of [this.map, this.twin]) map.setMinZoom(-data.sizes.length);
    const image = this.section.querySelector('.overview img');
    const address = `${data.base}picture/${data.key}/quick.jpg?side=256&session=${data.session}&topic=overview${data.bands ? `&bands=${data.bands}` : ''}`;
    if (image.dataset.key !== address) { image.dataset.key = address; image.src = address; image.onload = () => this.moved(); }
    image.alt = `${data.name}, the whole result`;
    this.look(this.mode);
  }

  // A new layer is laid over the old one, which goes when the new one is complete: a change shows no hole.
  layer(name, map, key, size, shift) {
    const old = this.layers[name], address = this.address(key);
    const laid = JSON.stringify([address, size.width, size.height, shift]);
    if (old && old.laid === laid) return;
    const finer = size.finer || 0;
    const made = new (layerClass(this.L))('', {
      tileSize: TILE, minNativeZoom: finer + 1 - size.sizes.length, maxNativeZoom: finer, minZoom: -64, maxZoom: 64, pane: name,
      noWrap: true, keepBuffer: 1, updateWhenZooming: false, updateInterval: 80,
    });
    Object.assign(made, { address, laid, size, shift, finer });
    made.on('tileloadstart', event => made.fit(event.tile, event.coords));
    made.on('tileerror', event => this.refused(event.tile));
    made.on('loading', () => this.busy());
    made.on('load', () => { if (made.old) { made.old.remove(); made.old = null; } this.busy(); });
    if (old && old.old) { old.old.remove(); old.old = null; }
    made.old = old && map.hasLayer(old) ? old : null;
    this.layers[name] = made;
  }

  address(key) {
    const { base, session, bands } = this.data;
    return `${base}tile/${key}/{level}/{column}/{row}?session=${session}${bands ? `&bands=${bands}` : ''}`;
  }

  look(mode) {
    this.mode = mode;
    for (const button of this.section.querySelectorAll('.modes button')) button.setAttribute('aria-pressed', String(button.textContent === mode));
    this.section.querySelector('.twin').hidden = mode !== 'Side by side';
    this.section.querySelector('.slider').hidden = mode !== 'Curtain';
    this.section.dataset.mode = mode;
    this.want('after', this.map, mode !== 'Original');
    this.want('before', this.map, mode === 'Original' || mode === 'Curtain');
    this.want('twin', this.twin, mode === 'Side by side');
    this.settle();
  }

  // Maps begin at whole pixels of the screen, or the browser would blur what it shows 1:1. What was in the middle stays there.
  settle() {
    if (!this.map) return;
    const main = this.section.querySelector('.main');
    Object.assign(this.stage.style, { left: '', top: '' });
    const box = this.stage.getBoundingClientRect();
    Object.assign(this.stage.style, { left: `${Math.round(box.left) - box.left}px`, top: `${Math.round(box.top) - box.top}px` });
    main.style.flex = this.mode === 'Side by side' ? `0 0 ${Math.floor(box.width / 2) - 1}px` : '';
    for (const map of [this.map, this.twin]) map.resize();
    this.moved();
  }

  want(name, map, wanted) {
    const layer = this.layers[name];
    if (!layer) return;
    if (wanted && !map.hasLayer(layer)) { if (!map._loaded) map.setView(this.map.getCenter(), this.map.getZoom(), { animate: false }); layer.addTo(map); }
    if (wanted) return;
    layer.remove();
    if (layer.old) { layer.old.remove(); layer.old = null; }
  }

  moved() {
    if (!this.map || !this.map._loaded) return;
    const zoom = this.map.getZoom(), size = this.map.getSize(), s = 2 ** zoom, [left, top] = this.data.shift;
    this.keep(zoom);
    this.follow(this.map, this.twin);
    const percent = s * 100;
    this.section.querySelector('.zoom').textContent = `${percent >= 1 ? number(Number(percent.toPrecision(3))) : number(Number(percent.toPrecision(2)))} %`;
    for (const node of this.section.querySelectorAll('.map')) node.classList.toggle('beyond', zoom > 0);
    for (const [map, name] of [[this.map, 'before'], [this.twin, 'twin']]) {
      Object.assign(map.getPane(name).style, { marginLeft: `${Math.round(left * s)}px`, marginTop: `${Math.round(top * s)}px` });
    }
    this.clip(size);
    this.outline();
    this.scaleBar(s);
    this.section.dataset.zoom = String(zoom);
    const middle = this.map.middle(), at = [Math.floor(middle.x / s), Math.floor(middle.y / s)];
    this.section.dataset.center = at.join(',');
    const form = this.section.querySelector('.goto');
    form.elements.x.placeholder = at[0];
    form.elements.y.placeholder = at[1];
    this.truth(zoom);
  }

  // Leaflet moves by whole pixels of the screen: a place that is kept again and again must not creep.
  keep(zoom) {
    const before = kept.get(this.data.image);
    const stays = before && before.zoom === zoom && this.map.project(before.center, zoom).floor().equals(this.map.middle());
    kept.set(this.data.image, { center: stays ? before.center : this.map.getCenter(), zoom, mode: this.mode, curtain: this.curtain });
  }

  follow(from, to) {
    if (this.following || this.mode !== 'Side by side') return;
    this.following = true;
    to.setView(from.getCenter(), from.getZoom(), { animate: false });
    this.following = false;
  }

  // The curtain: the original left of the line.
  clip(size) {
    const pane = this.map.getPane('before'), slider = this.section.querySelector('.slider');
    slider.style.left = `${this.curtain * 100}%`;
    slider.setAttribute('aria-valuenow', String(Math.round(this.curtain * 100)));
    if (this.mode !== 'Curtain') { pane.style.clip = ''; return; }
    const s = 2 ** this.map.getZoom(), [left, top] = this.data.shift;
    const min = this.map.containerPointToLayerPoint([0, 0]), max = this.map.containerPointToLayerPoint([size.x * this.curtain, size.y]);
    const by = { x: Math.round(left * s), y: Math.round(top * s) };
    pane.style.clip = `rect(${min.y - by.y}px, ${max.x - by.x}px, ${max.y - by.y}px, ${min.x - by.x}px)`;
  }

  slide(slider) {
    const put = share => { this.curtain = Math.min(1, Math.max(0, share)); this.moved(); };
    slider.onpointerdown = event => { slider.setPointerCapture(event.pointerId); event.preventDefault(); slider.focus(); };
    slider.onpointermove = event => {
      if (!slider.hasPointerCapture(event.pointerId)) return;
      const box = this.stage.getBoundingClientRect();
      put((event.clientX - box.left) / box.width);
    };
    slider.onkeydown = event => {
      const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
      if (by) { put(this.curtain + by); event.stopPropagation(); event.preventDefault(); }
    };
  }

  visible() {
    const { width, height } = this.data, bounds = this.map.getBounds();
    const left = Math.max(0, Math.floor(bounds.getWest())), top = Math.max(0, Math.floor(-bounds.getNorth()));
    const right = Math.min(width, Math.ceil(bounds.getEast())), bottom = Math.min(height, Math.ceil(-bounds.getSouth()));
    return { x: left, y: top, width: right - left, height: bottom - top };
  }

  outline() {
    const image = this.section.querySelector('.overview img'), box = this.section.querySelector('.overview i');
    const { x, y, width, height } = this.visible(), sx = image.clientWidth / this.data.width, sy = image.clientHeight / this.data.height;
    box.hidden = width <= 0 || height <= 0;
    // Where all is in sight, the overview would only cover it.
    this.section.querySelector('.overview').classList.toggle('idle', width >= this.data.width && height >= this.data.height);
    Object.assign(box.style, { left: `${x * sx}px`, top: `${y * sy}px`, width: `${Math.max(0, width) * sx}px`, height: `${Math.max(0, height) * sy}px` });
  }

  overviewClicked(event) {
    const image = this.section.querySelector('.overview img').getBoundingClientRect();
    const x = (event.clientX - image.left) / image.width * this.data.width, y = (event.clientY - image.top) / image.height * this.data.height;
    this.map.panTo([-y, x], { animate: false });
  }

  scaleBar(s) {
    const bar = this.section.querySelector('.scale');
    bar.hidden = !this.data.mpp;
    if (!this.data.mpp) return;
    const perScreen = this.data.mpp / s; // microns for each pixel of the screen
    const most = 140 * perScreen, tens = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map(n => n * tens).find(n => n <= most);
    bar.querySelector('i').style.width = `${length / perScreen}px`;
    bar.querySelector('span').textContent = length >= 1000 ? `${number(length / 1000)} mm` : `${number(Number(length.toPrecision(3)))} µm`;
  }

  pointed(at) {
    const x = Math.floor(at.lng), y = Math.floor(-at.lat), { width, height } = this.data;
    const inside = x >= 0 && y >= 0 && x < width && y < height;
    const place = this.section.querySelector('.position');
    place.hidden = !inside;
    place.textContent = `x ${x}, y ${y}`;
  }

  act(name) {
    if (!this.map) return;
    if (name === 'in') this.map.zoomIn(1, { animate: false });
    if (name === 'out') this.map.zoomOut(1, { animate: false });
    if (name === 'one') this.map.setZoom(0, { animate: false });
    if (name === 'fit') this.fit();
    if (name === 'window') this.measure();
    if (name === 'full') { if (document.fullscreenElement) document.exitFullscreen(); else this.section.requestFullscreen(); }
  }

  measure() {
    const window = this.visible();
    if (window.width > 0 && window.height > 0) this.tell('window', { ...window, key: this.data.key, at: Date.now() });
    else this.warn('Nothing of the result is in sight.');
  }

  // The figures of a window appear below the viewer, where a small screen ends.
  reveal(measured) {
    if (!measured || measured === this.revealed) return;
    this.revealed = measured;
    const end = performance.now() + 10_000;
    const look = () => {
      const figures = document.querySelector('.st-key-inspect-window canvas, .st-key-inspect-window svg, .st-key-inspect-window [role="alert"]');
      if (figures) figures.closest('.st-key-inspect-window').scrollIntoView({ block: 'nearest', behavior: 'smooth' });
      else if (performance.now() < end) setTimeout(look, 100);
    };
    look();
  }

  // Handled keys go no further: Streamlit has keys of its own, C for its cache.
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === 'INPUT') return;
    const pressed = event.key.toLowerCase(), act = { 1: 'one', 0: 'fit', f: 'full', w: 'window' }[pressed];
    const [mode] = MODES.find(([, key]) => key.toLowerCase() === pressed) || [];
    if (act) this.act(act);
    else if (mode && this.map) this.look(mode !== 'Result' && this.mode === mode ? 'Result' : mode);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  jump(form) {
    const { width, height } = this.data, at = {};
    for (const [name, limit] of [['x', width], ['y', height]]) {
      const field = form.elements[name], value = Number(field.value);
      const good = field.value.trim() !== '' && Number.isFinite(value) && value >= 0 && value < limit;
      field.setAttribute('aria-invalid', String(!good));
      field.title = good ? '' : `From 0 to ${limit - 1}`;
      if (!good) { field.focus(); return; }
      at[name] = value;
    }
    form.reset(); // where it is now is told by the placeholders
    this.map.setView([-at.y - 0.5, at.x + 0.5], Math.max(0, this.map.getZoom()), { animate: false });
  }

  async probe(latlng) {
    const x = Math.floor(latlng.lng), y = Math.floor(-latlng.lat), { base, key, session, width, height } = this.data;
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    this.mark(x, y);
    if (this.asking) this.asking.abort();
    const asking = this.asking = new AbortController();
    const place = this.section.querySelector('.probe');
    place.setAttribute('aria-busy', 'true');
    try {
      const address = `${base}probe/${key}.json?x=${x}&y=${y}&session=${session}&topic=probe`;
      let answer = await fetch(address, { signal: asking.signal }), found = await answer.json();
      while (answer.status === 503) {
        place.replaceChildren(el('div', 'notes', `${found.error} The values come by themselves.`));
        await paused(answer);
        answer = await fetch(address, { signal: asking.signal });
        found = await answer.json();
      }
      if (!answer.ok) { if (answer.status !== 409) place.replaceChildren(el('div', 'notes', found.error)); return; }
      place.replaceChildren(this.table(x, y, found.steps), ...found.reasons.map(text => el('div', 'hint', text)));
      const [from] = found.steps, [left, top] = this.data.shift, [across, down] = this.data.resized;
      if (from.x !== null) this.marks.push(this.dot(this.twin, (from.x + 0.5) * across + left - 0.5, (from.y + 0.5) * down + top - 0.5));
    } catch (error) {
      if (error.name !== 'AbortError') place.replaceChildren(el('div', 'notes', 'The values could not be asked for; the server may be gone.'));
    } finally { if (this.asking === asking) place.removeAttribute('aria-busy'); }
  }

  table(x, y, steps) {
    const row = (tag, ...cells) => el('tr', '', ...cells.map(text => el(tag, '', text)));
    const lines = steps.map(step => row('td',
      step.position ? `${step.position} ${step.transform}` : step.transform,
      step.x === null ? 'outside' : `${step.x}, ${step.y}`,
      step.values === null ? 'filled in by a later step' : step.values.map(number).join(', '),
      step.dtype));
    return el('table', '', el('thead', '', row('th', `Result pixel ${x}, ${y}`, 'x, y there', 'Values of the bands', 'Type')), el('tbody', '', ...lines));
  }

  mark(x, y) {
    this.unmark();
    this.marks.push(this.dot(this.map, x, y));
  }

  unmark() {
    for (const mark of this.marks || []) mark.remove();
    this.marks = [];
  }

  dot(map, x, y) {
    return this.L.circleMarker([-y - 0.5, x + 0.5], { radius: 6, weight: 2, color: '#e5484d', fill: false, interactive: false }).addTo(map);
  }

  clearProbe() {
    this.unmark();
    if (this.asking) this.asking.abort();
    const hint = 'Click a point for its values before and after each step. Keys: + and − zoom, arrows move, 1 and 0 for 1:1 and all of it, '
      + 'R, O, C, S for what is shown, W measures, F is full screen.';
    this.section.querySelector('.probe').replaceChildren(...(this.data.key ? [el('span', 'hint', hint)] : []));
  }

  notes() {
    this.section.querySelector('.notes').replaceChildren(...this.data.notes.map(text => el('div', '', text)));
  }

  // How true what is shown is, at this zoom.
  truth(zoom) {
    const place = this.section.querySelector('.truth'), { full, reduced, mapping } = this.data, { truth, reasons } = zoom >= 0 ? full : reduced;
    const exact = zoom >= 0 && truth === 'exact', word = `${truth[0].toUpperCase()}${truth.slice(1)}`;
    const how = exact ? 'Exact: these are the pixels of the full-size result.'
      : [zoom < 0 && full.truth === 'exact' ? `${word}; exact from 100 % on.` : `${word}.`, ...reasons].join(' ');
    const text = `${how} ${mapping}`.trim();
    if (place.textContent !== text) place.textContent = text;
    place.classList.toggle('exact', exact);
    place.classList.toggle('less', reasons.length > 0);
    this.section.dataset.truth = truth;
  }

  busy() {
    const loading = Object.entries(this.layers).some(([name, layer]) => (name === 'twin' ? this.twin : this.map).hasLayer(layer) && layer.isLoading());
    this.section.setAttribute('aria-busy', String(loading));
    this.section.dataset.shownKey = loading ? '' : this.data.key;
  }

  // An image element cannot say why it failed: the same address asked as JSON can. Where the server is busy, that is said,
  // and the tiles are asked for again when it has room.
  async refused(tile) {
    const address = tile.src;
    if (!address || address.startsWith('data:')) return;
    this.failing.add(tile);
    if (this.explaining) return;
    this.explaining = true;
    try {
      let answer = await fetch(address, { headers: { accept: 'application/json' } }), waited = false;
      while (answer.status === 503 && this.section.isConnected) {
        const { error } = await answer.json();
        this.warn(`${error} The tiles come by themselves.`);
        await paused(answer);
        waited = true;
        answer = await fetch(address, { headers: { accept: 'application/json' } });
      }
      const failing = [...this.failing].filter(one => one.isConnected && (one.tries ?? 0) < TRIES);
      this.failing.clear();
      if (answer.ok) {
        if (waited) this.warn('');
        for (const one of failing) { one.tries = (one.tries ?? 0) + 1; one.src = one.src; }
      } else if (answer.status !== 409) {
        const { error } = await answer.json();
        this.warn(error);
      }
    } catch { this.failing.clear(); /* the connection is gone, which the page itself says */ } finally { this.explaining = false; }
  }

  // A sentence over what could be made.
  warn(text) {
    const place = this.section.querySelector('.warning');
    place.hidden = !text;
    place.textContent = text;
  }

  // A sentence in place of everything.
  say(text) {
    const words = this.section.querySelector('.words');
    words.hidden = !text;
    words.textContent = text;
  }

  close() {
    if (this.asking) this.asking.abort();
    if (this.resizer) this.resizer.disconnect();
    if (this.map) this.map.remove();
    if (this.twin) this.twin.remove();
    this.map = this.twin = null;
  }
}

let maps = null;

// Leaflet has a place in the middle to the nearest pixel of the screen, which may show the pixel beside it, or nothing. Ours has
// it in the middle pixel of the screen, which in a map of an even side is the one right of, or below, the middle.
function mapClass(L) {
  maps ??= L.Map.extend({
    half() { return this.getSize().divideBy(2).floor(); },
    // The middle pixel of the screen, in pixels of the screen from the corner of the result.
    middle() { return this.getPixelBounds().min.add(this.half()); },
    // What was in the middle stays there.
    resize() {
      if (!this._loaded) return;
      const held = this.middle();
      this.invalidateSize({ pan: false });
      const by = held.subtract(this.middle());
      if (by.x || by.y) this.panBy(by, { animate: false });
    },
    _getNewPixelOrigin(center, zoom) { return this.project(center, zoom).floor().subtract(this.half()).add(this._getMapPanePos()); },
    _getCenterOffset(center) { return this._getNewPixelOrigin(center).subtract(this._pixelOrigin); },
  });
  return maps;
}

let tiles = null;

// Leaflet takes a level for exactly 2**-zoom times smaller; ours have whole pixels, `size.sizes`. Each tile is laid where its
// pixels belong, to the nearest pixel of the screen, so that nothing moves between two levels.
function layerClass(L) {
  tiles ??= L.TileLayer.extend({
    level(at) { return this.finer - at.z; },
    getTileUrl(at) { return this.address.replace('{level}', this.level(at)).replace('{column}', at.x).replace('{row}', at.y); },
    _isValidTile(at) {
      const [width, height] = this.size.sizes[this.level(at)];
      return at.x >= 0 && at.y >= 0 && at.x * TILE < width && at.y * TILE < height;
    },
    // What a tile covers of the screen at its own zoom.
    getTileSize() {
      const at = { z: this._tileZoom }, [width, height] = this.size.sizes[this.level(at)], s = TILE * 2 ** at.z;
      return L.point(this.size.width * s / width, this.size.height * s / height);
    },
    // In a shifted layer other tiles are in sight.
    _getTiledPixelBounds(center) {
      const seen = L.TileLayer.prototype._getTiledPixelBounds.call(this, center), s = 2 ** this._tileZoom;
      const by = L.point(this.shift.x * s, this.shift.y * s);
      return L.bounds(seen.min.subtract(by), seen.max.subtract(by));
    },
    _getTilePos(at) { return this.corner(at, at.x, at.y).subtract(this._level.origin); },
    corner(at, column, row) {
      const [width, height] = this.size.sizes[this.level(at)], s = 2 ** at.z;
      const x = Math.min(width, column * TILE) * this.size.width * s / width, y = Math.min(height, row * TILE) * this.size.height * s / height;
      return L.point(Math.round(x), Math.round(y));
    },
    fit(tile, at) {
      const size = this.corner(at, at.x + 1, at.y + 1).subtract(this.corner(at, at.x, at.y));
      Object.assign(tile.style, { width: `${size.x}px`, height: `${size.y}px` });
    },
  });
  return tiles;
}
