// The picture of Explore. It asks for pictures itself, so that a change costs one small message and one request:
// a quick one at once, a finer one when nothing has changed for a moment, a precise one on request. What is on the screen (picture, strip) is
// replaced as a whole, and only when the new picture is decoded; every part carries the key of the recipe it shows.

const SETTLE_MS = 30;
const BUSY_AFTER_MS = 250;
const REST_MS = 1000;
const QUICK_SIDE = 512;
const FINE_SIDE = 1024;
const viewers = new WeakMap();

export default function (component) {
  const root = component.parentElement;
  if (!viewers.has(root)) viewers.set(root, new Viewer(root));
  const viewer = viewers.get(root);
  viewer.update(component);
  return () => { viewer.close(); viewers.delete(root); };
}

function el(name, classes, ...children) {
  const node = document.createElement(name);
  if (classes) node.className = classes;
  node.append(...children.filter(child => child !== null));
  return node;
}

function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return 'unknown';
  const size = Math.abs(value);
  const text = Number.isInteger(value) ? String(value) : size >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  return text.replace('-', '−');
}

const DTYPES = { uchar: 'uint8', char: 'int8', ushort: 'uint16', short: 'int16', uint: 'uint32', int: 'int32',
  float: 'float32', double: 'float64', complex: 'complex64', dpcomplex: 'complex128' };

function milliseconds(ms) {
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toPrecision(3)} s`;
}

// Some seconds, or less if the request is given up.
function paused(seconds, signal) {
  return new Promise((done, fail) => {
    const given = () => { clearTimeout(timer); fail(new DOMException('superseded', 'AbortError')); };
    const timer = setTimeout(() => { signal.removeEventListener('abort', given); done(); }, seconds * 1000);
    signal.addEventListener('abort', given, { once: true });
    if (signal.aborted) given();
  });
}

class Refused extends Error {
  constructor(answer) { super(answer.error); this.answer = answer; }
}

// One place for a picture: the image element that is there, what it shows, and the request under way.
class Shot {
  constructor(viewer, topic, box) {
    this.viewer = viewer; this.topic = topic; this.box = box;
    this.image = null; this.meta = null; this.shown = ''; this.request = null; this.url = null;
    box.classList.add('waiting');
  }

  async load(key, quality, side, upto, alt) {
    const name = `${key}/${quality}/${side}/${upto}/${this.viewer.data.bands}`;
    if (this.shown === name) { if (this.image) this.image.alt = alt; return this.meta; }
    this.stop();
    const request = this.request = new AbortController();
    const { blob, meta } = await this.viewer.picture(key, quality, side, upto, this.topic, request.signal);
    const fresh = new Image(), url = URL.createObjectURL(blob);
    fresh.decoding = 'sync'; fresh.alt = alt; fresh.src = url;
    try { await fresh.decode(); } catch (error) { URL.revokeObjectURL(url); throw error; }
    if (request.signal.aborted) { URL.revokeObjectURL(url); throw new DOMException('superseded', 'AbortError'); }
    return { commit: () => this.put(fresh, url, meta, name), meta };
  }

  // The decoded element takes the old one's place in one step: the frame is never empty in between.
  put(fresh, url, meta, name) {
    if (this.image) this.image.replaceWith(fresh); else this.box.prepend(fresh);
    if (this.url) URL.revokeObjectURL(this.url);
    Object.assign(this, { image: fresh, url, meta, shown: name });
    this.box.classList.remove('waiting');
  }

  // What is said where there is no picture; '' where there is one again.
  refuse(text) {
    if (this.words) { this.words.remove(); this.words = null; }
    if (!text) return;
    this.stop();
    if (this.image) this.image.remove();
    if (this.url) URL.revokeObjectURL(this.url);
    Object.assign(this, { image: null, url: null, meta: null, shown: '' });
    this.box.classList.remove('waiting');
    this.box.append(this.words = el('div', 'sorry', text));
  }

  // `scale` is CSS pixels per full-size pixel.
  fit(scale) {
    if (!this.image || !this.meta) return;
    const { width, height } = this.meta.full || this.meta;
    this.image.style.width = `${Math.max(1, width * scale)}px`;
    this.image.style.height = `${Math.max(1, height * scale)}px`;
    this.image.classList.toggle('crisp', width * scale > 3 * this.image.naturalWidth);
  }

  stop() { if (this.request) { this.request.abort(); this.request = null; } }
  close() { this.stop(); if (this.url) URL.revokeObjectURL(this.url); }
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.section = root.querySelector('.viewer');
    this.stage = root.querySelector('.stage');
    this.strip = root.querySelector('.strip');
    this.busy = root.querySelector('.busy');
    this.preciser = root.querySelector('.precise');
    this.preciser.onclick = () => this.precise();
    this.layout = '';
    this.shots = [];
    this.turn = 0;
    this.curtain = 50;
    this.reports = new Map();
    this.resizer = new ResizeObserver(() => this.arrange());
    this.resizer.observe(this.stage);
    // The key by its place: with Alt some layouts write another letter. Streamlit 1.67 has shortcuts for buttons only.
    this.onkey = event => {
      if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.repeat || !this.data) return;
      if (event.code === 'KeyP') { event.preventDefault(); this.precise(); }
      if (event.code !== 'KeyC') return;
      event.preventDefault();
      this.tell('mode', this.data.mode === 'Curtain' ? 'Compare' : 'Curtain');
    };
    document.addEventListener('keydown', this.onkey);
  }

  update(component) {
    this.tell = component.setTriggerValue;
    this.listen(component.data);
    this.take(component.data);
    clearTimeout(this.telling);
    this.whenShown(() => { this.seen = component.data.version; this.acknowledge(); });
  }

  // The picture comes before the rest of the page: what the run put into the widgets is shown when it has ended.
  whenShown(then) {
    const app = document.querySelector('[data-testid="stApp"]');
    if (app && app.dataset.testScriptState === 'notRunning') this.telling = setTimeout(() => requestAnimationFrame(then));
    else this.telling = setTimeout(() => this.whenShown(then), SETTLE_MS);
  }

  acknowledge() {
    if (this.seen !== undefined && this.feed.readyState === WebSocket.OPEN) this.feed.send(JSON.stringify({ seen: this.seen }));
  }

  // The same data comes twice: by the feed, and with the page. The later version counts, whichever way it came.
  take(data) {
    if (this.data && this.data.session === data.session && data.version < this.data.version) return;
    const known = this.data && this.data.key === data.key && this.data.costs;
    this.data = known && data.costs && this.isBetter(known, data.costs) ? { ...data, costs: known } : data;
    const wanted = JSON.stringify({ ...data, costs: null });
    if (wanted === this.wanted) {  // the theme changed, or it is known already
      if (this.strip.dataset.key === data.key && JSON.stringify(known) !== JSON.stringify(this.data.costs)) this.figures();
      return;
    }
    this.wanted = wanted;
    this.refresh();
  }

  listen(data) {
    const address = new URL(`${data.base}feed/${data.session}`, document.baseURI);
    address.protocol = address.protocol.replace('http', 'ws');
    if (this.feed && this.feed.url === address.href && this.feed.readyState <= WebSocket.OPEN) return;
    if (this.feed) this.feed.close();
    this.feed = new WebSocket(address);
    this.feed.onopen = () => this.acknowledge();
    this.feed.onmessage = message => this.take(JSON.parse(message.data));
  }

  close() {
    this.turn += 1;
    document.removeEventListener('keydown', this.onkey);
    if (this.feed) this.feed.close();
    clearTimeout(this.settle); clearTimeout(this.slow); clearTimeout(this.telling);
    if (this.reporting) this.reporting.abort();
    this.leaveEstimate();
    this.resizer.disconnect();
    this.shots.forEach(shot => shot.close());
  }

  async picture(key, quality, side, upto, topic, signal, again = true) {
    const url = new URL(`${this.data.base}picture/${key}/${quality}.jpg`, document.baseURI);
    url.searchParams.set('side', side);
    if (upto !== null) url.searchParams.set('upto', upto);
    if (this.data.bands) url.searchParams.set('bands', this.data.bands);
    url.searchParams.set('session', this.data.session);
    url.searchParams.set('topic', topic);
    const answer = await this.unhurried(url, signal);
    // A request that a newer one replaced on the server, though not here: ask once more.
    if (answer.status === 409 && again) return this.picture(key, quality, side, upto, topic, signal, false);
    if (!answer.ok) {
      const plain = { error: `The server answered ${answer.status} ${answer.statusText}.`, position: null };
      throw new Refused(await answer.json().catch(() => plain));
    }
    const meta = JSON.parse(answer.headers.get('X-Augviz-Meta') || '{}');
    meta.key = answer.headers.get('X-Augviz-Key') || key;
    return { blob: await answer.blob(), meta };
  }

  // A server that is busy says how many are before: that is shown, and asked again, until it has room.
  async unhurried(url, signal) {
    let answer = await fetch(url, { signal });
    while (answer.status === 503) {
      const said = await answer.json().catch(() => ({}));
      signal.throwIfAborted();
      this.wait(said.error || 'The server is busy.');
      await paused(Number(answer.headers.get('Retry-After')) || 2, signal);
      answer = await fetch(url, { signal });
    }
    this.wait('');
    return answer;
  }

  wait(text) {
    this.section.dataset.waiting = text;
    if (text) this.strip.replaceChildren(this.fact('', `${text} The picture comes by itself.`, 'note warn'));
  }

  // ---- one change of the data: quick pictures now, finer ones and the report when it has settled

  async refresh() {
    const turn = ++this.turn, data = this.data;
    clearTimeout(this.settle); clearTimeout(this.slow);
    if (this.reporting) this.reporting.abort();
    this.leaveEstimate();
    this.section.dataset.key = data.key;
    if (this.section.dataset.shownKey !== data.key) this.section.dataset.quality = 'loading';
    this.section.setAttribute('aria-busy', 'true');
    this.trouble = '';
    this.offer();
    this.slow = setTimeout(() => this.busy.classList.add('on'), BUSY_AFTER_MS);
    try {
      this.compose(data);
      await this.round(turn, data, 'quick');
      if (turn !== this.turn) return;
      await new Promise(done => { this.settle = setTimeout(done, SETTLE_MS); });
      if (turn !== this.turn) return;
      await this.round(turn, data, 'fine');
      if (turn === this.turn && !this.failed) await this.report(turn, data);
      if (turn === this.turn && !this.failed) this.estimate(turn, data);
    } catch (error) {
      if (turn === this.turn && error.name !== 'AbortError') {
        this.strip.replaceChildren(this.fact('', 'The server cannot be reached; the picture is the last one it gave.', 'note warn'));
      }
    } finally {
      if (turn === this.turn) {
        clearTimeout(this.slow); this.busy.classList.remove('on');
        this.section.setAttribute('aria-busy', 'false');
        this.offer();
      }
    }
  }

  // ---- on request: the pictures once more, as precisely as the server can afford

  // Offered where a fine picture stands that is not exact already.
  offer(asked = false) {
    const main = this.shots.find(shot => shot.main), meta = main && main.meta;
    const pair = this.data.mode === 'Compare' || this.data.mode === 'Curtain';
    this.canBePrecise = pair && !asked && this.section.dataset.quality === 'fine' && !!meta && meta.scale > 1
      && this.section.getAttribute('aria-busy') === 'false';
    this.preciser.hidden = !(this.canBePrecise || asked);
    this.preciser.disabled = asked;
    this.preciser.textContent = asked ? 'Making it precise …' : 'Precise';
  }

  // A change gives it up. If it fails, the fine pictures stay, and a sentence says why.
  async precise() {
    if (!this.canBePrecise) return;
    const turn = this.turn, data = this.data;
    this.trouble = '';
    this.section.setAttribute('aria-busy', 'true');
    this.busy.classList.add('on');
    this.offer(true);
    try {
      const loads = this.shots.map(shot => shot.load(...shot.wants('precise')));
      const results = await Promise.allSettled(loads);
      if (turn !== this.turn) return;
      const failed = results.find(r => r.status === 'rejected');
      if (failed) throw failed.reason;
      results.forEach(r => { if (r.value.commit) r.value.commit(); });
      this.section.dataset.quality = 'precise';
      this.arrange();
    } catch (error) {
      if (turn === this.turn && error.name !== 'AbortError') {
        this.trouble = `No precise picture: ${error instanceof Refused ? error.message : 'the server cannot be reached.'}`;
      }
    } finally {
      if (turn === this.turn) {
        this.busy.classList.remove('on');
        this.section.setAttribute('aria-busy', 'false');
        this.offer();
        this.figures();
      }
    }
  }

  // All pictures of one quality; they are shown together, so that two recipes are never mixed.
  async round(turn, data, quality) {
    const wanted = this.shots.map(shot => shot.wants(quality));
    const results = await Promise.allSettled(wanted.map((w, i) => this.shots[i].load(...w)));
    if (turn !== this.turn) return;
    const unreachable = results.find(r => r.status === 'rejected' && !(r.reason instanceof Refused));
    if (unreachable) throw unreachable.reason;
    results.forEach(r => { if (r.value && r.value.commit) r.value.commit(); });
    const at = this.shots.findIndex(shot => shot.main);
    const refused = results[at].status === 'rejected' ? results[at].reason.answer : null;
    this.failed = refused;
    if (this.tiles) results.forEach((r, i) => this.shots[i].refuse(r.status === 'rejected' ? r.reason.answer.error.replace(/^step /, 'Step ') : ''));
    else {
      // Nothing of another image may stay beside the name of one that cannot be read.
      results.forEach((r, i) => { if (i !== at) this.shots[i].refuse(r.status === 'rejected' ? 'No picture' : ''); });
      if (refused) this.fail(data, refused); else this.succeed();
    }
    this.section.dataset.shownKey = data.key;
    this.section.dataset.quality = refused ? 'error' : quality;
    this.readouts(data, this.shots[at].meta, refused);
    this.arrange();
  }

  // ---- what is in the frame

  compose(data) {
    const tiles = data.mode === 'Draws' ? data.draws.map(d => `${d.seed}`) : data.mode === 'Steps' ? data.steps.map(s => `${s.position}`) : [];
    const layout = `${data.mode}/${tiles.length}`;
    if (layout !== this.layout) {
      const old = this.shots;
      this.shots = []; this.tiles = null; this.captions = null; this.place = null; this.panel = null;
      const fresh = this[`compose${data.mode}`](data);
      this.adopt(old);
      this.stage.replaceChildren(fresh);
      this.layout = layout;
      this.content = fresh;
    }
    if (data.mode === 'Compare' || data.mode === 'Curtain') this.aimPair(data); else this.aimTiles(data);
  }

  // A change of mode keeps the pictures it can: the frame shows them at once, in their new places.
  adopt(old) {
    for (const shot of this.shots) {
      const same = old.find(o => o.role === shot.role && o.image) || (shot.role !== 'before' && old.find(o => o.main && o.image)) || null;
      if (same && same.url) {
        const image = same.image.cloneNode(); image.className = '';
        shot.box.prepend(image); shot.box.classList.remove('waiting');
        Object.assign(shot, { image, meta: same.meta, shown: same.role === shot.role ? same.shown : '', url: null });
        same.lent = true;
      }
    }
    // Object addresses that a clone still shows are released a little later than the others.
    old.forEach(o => { o.stop(); if (o.url) { const url = o.url; setTimeout(() => URL.revokeObjectURL(url), o.lent ? 10000 : 0); } });
  }

  shot(topic, role, main, box) {
    const shot = new Shot(this, topic, box);
    shot.role = role; shot.main = main;
    this.shots.push(shot);
    return shot;
  }

  composeCompare() {
    const before = el('div', 'box'), after = el('div', 'box');
    this.shot('before', 'before', false, before); this.shot('main', 'after', true, after);
    this.captions = [el('figcaption'), el('figcaption')];
    this.place = el('figure', 'after', this.captions[1], after);
    return el('div', 'stage', el('figure', 'before', this.captions[0], before), this.place);
  }

  composeCurtain() {
    const box = el('div', 'box'), under = el('div', 'box'), over = el('div', 'box');
    under.style.cssText = over.style.cssText = 'position:absolute;inset:0;margin:0';
    this.shot('before', 'before', false, under); this.shot('main', 'after', true, over);
    this.over = over; this.under = under;
    const handle = this.handle = el('div', 'handle');
    for (const [name, value] of Object.entries({ role: 'slider', tabindex: '0', 'aria-label': 'Curtain between original and result',
      'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-orientation': 'horizontal' })) handle.setAttribute(name, value);
    handle.onkeydown = event => {
      const big = event.shiftKey ? 10 : 2;
      const move = { ArrowLeft: -big, ArrowDown: -big, ArrowRight: big, ArrowUp: big, PageDown: -10, PageUp: 10, Home: -100, End: 100 }[event.key];
      if (move === undefined) return;
      event.preventDefault(); event.stopPropagation(); this.draw(this.curtain + move);
    };
    box.onpointerdown = event => {
      box.setPointerCapture(event.pointerId); handle.focus({ preventScroll: true }); event.preventDefault();
      const follow = e => { const r = box.getBoundingClientRect(); this.draw((e.clientX - r.left) / r.width * 100); };
      follow(event); box.onpointermove = follow;
    };
    box.onpointerup = box.onpointercancel = () => { box.onpointermove = null; };
    box.append(under, over, handle);
    this.captions = [el('span'), el('span')];
    this.place = el('figure', 'curtain', el('figcaption', '', ...this.captions), box);
    return el('div', 'stage', this.place);
  }

  draw(percent) {
    this.curtain = Math.max(0, Math.min(100, percent));
    this.over.style.clipPath = `inset(0 0 0 ${this.curtain}%)`;
    this.under.style.clipPath = `inset(0 ${100 - this.curtain}% 0 0)`;
    this.handle.style.left = `${this.curtain}%`;
    this.handle.setAttribute('aria-valuenow', String(Math.round(this.curtain)));
    this.handle.setAttribute('aria-valuetext', `${Math.round(this.curtain)} % original`);
  }

  composeTiles(topics) {
    this.tiles = topics.map(topic => {
      const box = el('div', 'box'), labels = [el('div', 'label'), el('div', 'label'), el('div', 'label')];
      const tile = el('button', 'tile', box, ...labels);
      tile.type = 'button';
      this.shot(topic, topic, false, box);
      return { tile, box, labels };
    });
    return el('div', 'stage', this.grid = el('div', 'tiles', ...this.tiles.map(t => t.tile)));
  }

  composeDraws(data) { return this.composeTiles(data.draws.map((_, i) => `draw${i}`)); }
  composeSteps(data) { return this.composeTiles(data.steps.map((_, i) => `step${i}`)); }

  // ---- what each place in the frame shows

  aimPair(data) {
    const [before, after] = this.shots;
    const side = quality => quality === 'quick' ? QUICK_SIDE : FINE_SIDE;
    before.wants = quality => [data.before_key, quality, side(quality), null, data.before_alt];
    after.wants = quality => [data.key, quality, side(quality), null, data.alt];
    if (data.mode === 'Curtain') this.draw(this.curtain);
  }

  aimTiles(data) {
    const side = (quality, main) => quality === 'fine' && (main || this.shots.length <= 4) ? FINE_SIDE : QUICK_SIDE;
    const rows = data.mode === 'Draws'
      ? data.draws.map((d, i) => ({ key: d.key, upto: null, alt: `${data.name}, draw with seed ${d.seed}`, main: i === data.picked }))
      : data.steps.map((s, i) => ({ key: s.key, upto: s.upto, alt: s.alt, main: i === data.steps.length - 1 }));
    rows.forEach((row, i) => {
      this.shots[i].main = row.main;
      this.shots[i].wants = quality => [row.key, quality, side(quality, row.main), row.upto, row.alt];
      const { tile } = this.tiles[i];
      if (data.mode === 'Draws') {
        tile.setAttribute('aria-pressed', String(row.main));
        tile.onclick = () => this.tell('picked', i);
      } else {
        tile.onclick = () => { if (data.steps[i].id) this.tell('opened', data.steps[i].id); };
      }
    });
  }

  // ---- sizes: one scale for the whole frame, so that pictures can be compared

  arrange() {
    const shots = this.shots.filter(shot => shot.image && shot.meta && !(this.panel && shot.main));
    if (!shots.length) this.label();
    if (!shots.length || !this.stage.clientWidth) return;
    if (this.layout.startsWith('Draws') || this.layout.startsWith('Steps')) this.columns(shots);
    const room = shot => {
      const { width, height } = shot.meta.full || shot.meta;
      return Math.min(shot.box.clientWidth / width, shot.box.clientHeight / height);
    };
    const common = Math.min(...shots.map(room));
    // A small crop beside a large original would be a speck: it gets its own scale, and its caption says so.
    for (const shot of shots) {
      shot.enlarged = room(shot) / common > 4 ? room(shot) / common : 1;
      shot.fit(common * shot.enlarged);
    }
    this.label();
  }

  // As many columns as make the pictures largest; rows only as high as they need, so that labels stand at their pictures.
  columns(shots) {
    const sizes = shots.map(shot => shot.meta.full || shot.meta), count = this.shots.length;
    const width = Math.max(...sizes.map(s => s.width)), height = Math.max(...sizes.map(s => s.height));
    const w = this.grid.clientWidth - 20, h = this.grid.clientHeight - 20, chrome = this.layout.startsWith('Steps') ? 68 : 32;
    let best = { columns: 1, scale: 0, row: 0 };
    for (let columns = 1; columns <= count; columns += 1) {
      const rows = Math.ceil(count / columns), row = (h - 8 * (rows - 1)) / rows;
      const scale = Math.min((w / columns - 16) / width, (row - chrome) / height);
      if (scale > best.scale) best = { columns, scale, row };
    }
    const row = best.scale > 0 ? Math.min(best.row, height * best.scale + chrome) : 120;
    this.grid.style.gridTemplateColumns = `repeat(${best.columns}, minmax(0, 1fr))`;
    this.grid.style.gridAutoRows = `${Math.max(100, row)}px`;
  }

  label() {
    const data = this.data, size = meta => { const f = meta.full || meta; return `${f.width} × ${f.height}`; };
    if (this.captions && (data.mode === 'Compare' || data.mode === 'Curtain')) {
      ['Original', 'Result'].forEach((name, i) => {
        const shot = this.shots[i];
        if (!shot.meta) { this.captions[i].textContent = name; return; }
        const own = shot.enlarged > 1 ? ` · enlarged ${number(shot.enlarged)} times more than the other` : '';
        const precise = shot.meta.quality === 'precise' ? ' · precise' : '';
        this.captions[i].textContent = `${name} · ${size(shot.meta)}${own}${precise}`;
      });
    } else if (this.tiles) {
      const report = this.reports.get(data.key);
      this.tiles.forEach(({ labels, tile }, i) => {
        if (data.mode === 'Draws' && data.draws[i]) {
          labels[0].textContent = `seed ${data.draws[i].seed}`;
        } else if (data.mode === 'Steps' && data.steps[i]) {
          const step = data.steps[i];
          const measured = report && report.steps && report.steps.find(s => s.position === step.position);
          tile.classList.toggle('skipped', step.skipped);
          labels[0].textContent = step.title;
          const facts = [];
          if (measured && measured.seconds !== null && measured.seconds !== undefined && !step.skipped) facts.push(milliseconds(measured.seconds * 1000));
          if (measured && measured.low !== null && measured.low !== undefined) facts.push(`${number(measured.low)} … ${number(measured.high)}`);
          labels[1].textContent = step.skipped ? 'skipped in this draw' : step.shape;
          labels[2].textContent = step.skipped ? '' : facts.join(' · ');
        }
        tile.title = [...labels].map(l => l.textContent).filter(Boolean).join('\n');
      });
    }
  }

  // ---- a step that fails: the sentence in the picture's place, the last good step small beside it

  fail(data, refused) {
    this.succeed();
    const said = refused.error || 'Something failed.';
    const words = el('div', 'words', el('strong', '', refused.transform ? `${refused.transform} failed` : 'No picture'),
      data.reason ? el('p', '', data.reason) : null, el('p', data.reason ? 'aside' : '', said.replace(/^step /, 'Step ')));
    words.setAttribute('role', 'alert');
    if (refused.class === 'ImageError') {
      const back = el('button', '', 'Back to the sample');
      back.type = 'button';
      back.onclick = () => this.tell('left', true);
      words.append(back);
    }
    this.panel = el('div', 'failure', words);
    this.place.append(this.panel);
    this.place.classList.add('failed');
    const good = data.good || (refused.position ? { key: data.key, upto: refused.position - 1, title: refused.position > 1 ? `After step ${refused.position - 1}` : 'Original' } : null);
    if (!good) return;
    const box = el('div', 'box'), shot = new Shot(this, 'good', box), figure = el('figure', '', box, el('figcaption', '', good.title));
    this.panel.append(figure);
    shot.load(good.key, 'quick', 256, good.upto, `${data.name}, ${good.title.toLowerCase()}`).then(result => {
      if (result.commit) result.commit();
      const { width, height } = shot.meta.full || shot.meta;
      shot.fit(Math.min(160 / width, 150 / height));
    }, () => figure.remove());
  }

  succeed() {
    if (!this.panel) return;
    this.panel.remove(); this.panel = null;
    this.place.classList.remove('failed');
  }

  // ---- the strip under the picture

  fact(label, value, classes = '', title = '') {
    const node = el('div', `fact ${classes}`, label ? el('span', '', label) : null, value);
    if (title) node.title = title;
    return node;
  }

  readouts(data, meta, refused) {
    const facts = [], costs = data.costs || {};
    if (!refused && meta) {
      const kind = meta.truth === 'statistical' ? 'statistical' : meta.truth === 'not to scale' ? 'not' : '';
      const scale = meta.scale > 1 ? `, 1/${number(meta.scale)}` : '';
      facts.push(this.fact('', `${meta.truth || 'unknown'}${scale}`, `badge ${kind}`, (meta.truth_reasons || []).join('\n') || 'The same pixels as the full-size result would show at this size.'));
      facts.push(this.fact('preview', `${milliseconds(meta.wall_ms)}, ${meta.quality || ''}`, '', 'Time to make this picture on the server, measured'));
    }
    const help = text => costs.trouble ? `${text}\n${costs.trouble}` : text;
    if (costs.time) facts.push(this.fact('full size', costs.time, '', help(costs.time_help)));
    if (costs.result) facts.push(this.fact('result', costs.result, '', 'Size of the full-size result, and the bytes to hold it'));
    if (costs.memory) facts.push(this.fact('memory', costs.memory, '', help(costs.memory_help)));
    if (costs.time) facts.push(this.measureLink(data));
    this.strip.dataset.from = costs.from || '';
    if (!refused && meta && meta.unreal) facts.push(this.fact('', '⚠ Some values are no finite numbers (NaN or infinity)', 'note warn'));
    if (!refused && meta && meta.low !== undefined) {
      const outside = meta.low < 0 || meta.high > ((meta.full || {}).format === 'ushort' ? 65535 : 255);
      facts.push(this.fact(outside ? '⚠ values' : 'values', `${number(meta.low)} … ${number(meta.high)}`, outside ? 'warn' : '', meta.mapping || ''));
      if (outside || ((meta.full || {}).format && meta.full.format !== 'uchar')) {
        const why = meta.mapping ? `shown by mapping: ${meta.mapping}` : 'mapped to what a screen can show';
        facts.push(this.fact('', (outside ? 'Values leave what a screen can show; ' : '') + why, `note ${outside ? 'warn' : ''}`));
      } else if (meta.truth_reasons && meta.truth_reasons.length && (meta.truth === 'statistical' || meta.truth === 'not to scale')) {
        facts.push(this.fact('', meta.truth_reasons.join(' '), 'note'));
      }
    }
    if (this.trouble) facts.push(this.fact('', `⚠ ${this.trouble}`, 'note warn'));
    this.strip.dataset.key = data.key;
    const atLink = this.strip.getRootNode().activeElement === this.strip.querySelector('a') && this.strip.querySelector('a');
    this.strip.replaceChildren(...facts);
    if (atLink && this.strip.querySelector('a')) this.strip.querySelector('a').focus({ preventScroll: true });
  }

  // The strip anew with other figures; the pictures are what they were.
  figures() {
    const main = this.shots.find(shot => shot.main);
    this.readouts(this.data, main ? main.meta : null, this.failed);
  }

  isBetter(one, other) { return one.from === 'windows' && other.from === 'costs'; }

  // An address of its own, so that it can be opened beside this page; here the session goes along.
  measureLink(data) {
    const link = el('a', 'fact', 'Measure');
    link.title = 'Measure this pipeline on this image at full size';
    link.href = data.measure;
    link.onpointerdown = link.onfocus = () => { link.href = data.measure + window.location.search; };
    link.onclick = event => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      this.tell('measure', true);
    };
    return link;
  }

  // When nothing has changed for a while, a few windows of the full size tell more than costs; any change gives them up.
  estimate(turn, data) {
    const costs = this.data.costs || {};
    if (!costs.time || costs.from === 'windows' || costs.trouble) return;
    const request = this.estimating = new AbortController();
    this.resting = setTimeout(async () => {
      const url = new URL(`${data.base}estimate/${data.key}.json`, document.baseURI);
      url.searchParams.set('session', data.session);
      let found;
      try {
        let answer = await fetch(url, { signal: request.signal });
        while (answer.status === 503) {  // too many wait for theirs; the figures from costs do meanwhile
          await paused(Number(answer.headers.get('Retry-After')) || 2, request.signal);
          answer = await fetch(url, { signal: request.signal });
        }
        if (answer.status === 409) return;  // another window of this visitor has taken the place
        found = await answer.json();
        if (!answer.ok) found = { trouble: `No windows could be made for a better one: ${found.error}` };
      } catch (error) {
        found = { trouble: 'No windows could be made for a better one: the server cannot be reached.' };
      }
      if (turn !== this.turn || request.signal.aborted) return;
      this.data = { ...this.data, costs: { ...this.data.costs, ...found } };
      this.figures();
    }, REST_MS);
  }

  leaveEstimate() {
    clearTimeout(this.resting);
    if (this.estimating) { this.estimating.abort(); this.estimating = null; }
  }

  async report(turn, data) {
    if (data.mode !== 'Steps' || this.reports.has(data.key)) return;
    const request = this.reporting = new AbortController();
    const url = new URL(`${data.base}report/${data.key}.json`, document.baseURI);
    url.searchParams.set('session', data.session);
    const answer = await this.unhurried(url, request.signal);
    if (!answer.ok) return;
    const report = await answer.json();
    if (this.reports.size > 50) this.reports.clear();
    this.reports.set(data.key, report);
    if (turn === this.turn) { this.label(); this.figures(); }
  }
}
