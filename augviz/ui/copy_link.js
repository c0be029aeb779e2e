// Copies the page's address, which holds the state. Browsers give the clipboard to secure pages only; elsewhere the old
// way, a selected field, still works.

export default function (component) {
  const root = component.parentElement, button = root.querySelector('.copy'), said = root.querySelector('.said');
  let timer;
  button.title = component.data.title;
  button.onclick = async () => {
    const text = window.location.href;
    let done = true;
    try { await navigator.clipboard.writeText(text); } catch { done = byField(text); }
    said.textContent = done ? component.data.note : 'Copy it from the address bar';
    clearTimeout(timer);
    timer = setTimeout(() => { said.textContent = ''; }, 2500);
  };
  return () => clearTimeout(timer);
}

function byField(text) {
  const field = document.createElement('textarea');
  field.value = text;
  field.style.cssText = 'position:fixed;opacity:0';
  document.body.append(field);
  field.select();
  try { return document.execCommand('copy'); } catch { return false; } finally { field.remove(); }
}
