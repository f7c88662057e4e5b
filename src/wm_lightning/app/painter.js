// Strokes are kept on the canvas, so that a new picture begins without any; the page's button sends them.
const COLOURS = { mark: '#dc2626', leave: '#2563eb', erase: '#000' };
const canvas = () => element.querySelector('canvas');
const chosen = name => element.querySelector(`[name=${name}]${name === 'brush' ? ':checked' : ''}`).value;
let painting = null;

function fit() {
  const image = element.querySelector('.sheet img');
  if (canvas().width !== image.naturalWidth || canvas().height !== image.naturalHeight) {
    [canvas().width, canvas().height] = [image.naturalWidth, image.naturalHeight];
  }
}

function draw(stroke) {
  const { width, height } = canvas();
  const pen = canvas().getContext('2d');
  pen.globalCompositeOperation = stroke.kind === 'erase' ? 'destination-out' : 'source-over';
  pen.strokeStyle = COLOURS[stroke.kind];
  pen.lineWidth = stroke.width * width;
  pen.lineCap = pen.lineJoin = 'round';
  pen.beginPath();
  stroke.points.forEach(([x, y]) => pen.lineTo(x * width, y * height));
  if (stroke.points.length === 1) pen.lineTo(stroke.points[0][0] * width, stroke.points[0][1] * height);
  pen.stroke();
}

function redraw() {
  canvas().getContext('2d').clearRect(0, 0, canvas().width, canvas().height);
  (canvas().strokes ?? []).forEach(draw);
}

function add(event) {
  const box = canvas().getBoundingClientRect();
  const share = (at, from, length) => Math.min(2, Math.max(-1, (at - from) / length));
  painting.points.push([share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height)]);
  draw({ ...painting, points: painting.points.slice(-2) });
}

function undo() {
  canvas().strokes?.pop();
  redraw();
}

element.addEventListener('pointerdown', event => {
  if (event.target !== canvas() || event.button) return;
  event.preventDefault();
  fit();
  canvas().setPointerCapture(event.pointerId);
  painting = { kind: chosen('brush'), width: chosen('width') / 100, points: [] };
  (canvas().strokes ??= []).push(painting);
  add(event);
});
element.addEventListener('pointermove', event => painting && add(event));
for (const end of ['pointerup', 'pointercancel']) element.addEventListener(end, () => { painting = null; });
element.addEventListener('click', event => {
  const what = event.target.dataset?.do;
  if (what === 'undo') undo();
  if (what === 'clear') {
    canvas().strokes = [];
    redraw();
  }
});
element.addEventListener('keydown', event => {
  if ((event.ctrlKey || event.metaKey) && event.key === 'z') undo();
});
