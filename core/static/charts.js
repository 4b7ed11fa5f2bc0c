/* Draws every [data-chart] with ECharts. The server sends figures and their meaning
   (core/web/charts.py); colours come from CSS variables, formats from the page's language. */

const { init } = await import(document.body.dataset.echarts);

const live = new Map();
let printing = false;
const language = () => document.documentElement.lang || 'en';

/* ---- Colours: light-dark() only resolves on a real property, so a probe reads it ------------- */

function palette() {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const colours = {
    series: [1, 2, 3, 4, 5, 6, 7].map((n) => read(`--chart-${n}`)),
    text: read('--text'), strong: read('--text-strong'), soft: read('--text-2'), line: read('--line'),
    surface: read('--surface'), page: read('--page'), ok: read('--ok'), bad: read('--bad'), warn: read('--warn'),
  };
  probe.remove();
  return colours;
}

const parts = (colour) => (colour.match(/[\d.]+/g) || [0, 0, 0]).slice(0, 3).map(Number);
const fade = (colour, alpha) => `rgba(${parts(colour).join(',')},${alpha})`;
const blend = (top, base, share) => {
  const [a, b] = [parts(top), parts(base)];
  return `rgb(${a.map((value, i) => Math.round(value * share + b[i] * (1 - share))).join(',')})`;
};
const luminance = (colour) => {
  const [r, g, b] = parts(colour).map((value) => { const c = value / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const inkOn = (colour) => (luminance(colour) > 0.18 ? '#111' : '#fff');

/* ---- Figures ------------------------------------------------------------------------------------ */

function formats(spec) {
  const make = (options) => new Intl.NumberFormat(language(), options);
  if (spec.unit === 'percent') {
    const full = make({ style: 'percent', maximumFractionDigits: 1 });
    const short = make({ style: 'percent', maximumFractionDigits: 0 });
    return { full: (v) => full.format(v), short: (v) => (Math.abs(v) < 0.1 ? full : short).format(v) };
  }
  if (spec.unit === 'money') {
    const scale = 10 ** -(spec.exponent || 0);
    const base = { style: 'currency', currency: spec.currency, currencyDisplay: 'narrowSymbol' };
    const full = make(base);
    const short = make({ ...base, notation: 'compact', maximumFractionDigits: 1, minimumFractionDigits: 0 });
    return { full: (v) => full.format(v * scale), short: (v) => short.format(v * scale) };
  }
  const full = make({ maximumFractionDigits: 2 });
  const short = make({ notation: 'compact', maximumFractionDigits: 1 });
  return { full: (v) => full.format(v), short: (v) => short.format(v) };
}

/* ---- Common pieces -------------------------------------------------------------------------------- */

function frame(spec, c, f) {
  const font = getComputedStyle(document.body).fontFamily;
  return {
    animation: !matchMedia('(prefers-reduced-motion: reduce), print').matches && !printing,
    animationDuration: 450,
    aria: { enabled: true },
    color: (spec.palette || []).length ? spec.palette.map((n) => c.series[n - 1]) : c.series,
    textStyle: { fontFamily: font, color: c.text, fontSize: 12 },
    // richText: the HTML tooltip would need inline styles, which the security policy forbids.
    tooltip: {
      renderMode: 'richText', confine: true, backgroundColor: c.surface, borderColor: c.line, borderWidth: 1, padding: [8, 12],
      textStyle: { color: c.text, fontFamily: font, fontSize: 12 }, valueFormatter: (v) => (v === null || v === undefined ? '–' : f.full(v)),
      shadowBlur: 14, shadowColor: 'rgba(0,0,0,.16)', shadowOffsetY: 4, extraCssText: '',
    },
    legend: {
      show: (spec.series || []).length > 1, top: 0, right: 0, icon: 'roundRect', itemWidth: 12, itemHeight: 4, itemGap: 16,
      textStyle: { color: c.text, fontFamily: font, fontSize: 12 }, inactiveColor: c.soft,
    },
  };
}

const categoryAxis = (spec, c) => ({
  type: 'category', data: spec.labels, axisTick: { show: false }, axisLine: { lineStyle: { color: c.line } },
  axisLabel: { color: c.soft, hideOverlap: true, margin: 10 },
});
const valueAxis = (spec, c, f) => ({
  type: 'value', axisLabel: { color: c.soft, formatter: (v) => f.short(v) }, splitLine: { lineStyle: { color: c.line, type: [3, 3] } }, splitNumber: 4,
});

function roleColour(row, index, c, colours) {
  if (row.role === 'good') return c.ok;
  if (row.role === 'bad') return c.bad;
  if (row.role === 'target' || row.role === 'previous') return c.soft;
  return colours[index % colours.length];
}

function marks(spec, c, f) {
  if (!spec.marks) return undefined;
  return {
    symbol: 'none', silent: true,
    data: spec.marks.map((mark) => {
      const colour = mark.role === 'bad' ? c.bad : mark.role === 'good' ? c.ok : c.soft;
      return { yAxis: mark.value, name: mark.label, lineStyle: { color: colour, type: [5, 4], width: 1.5 }, label: { formatter: `${mark.label} ${f.short(mark.value)}`, position: 'insideEndTop', color: colour, fontSize: 11 } };
    }),
  };
}

/* ---- Kinds ------------------------------------------------------------------------------------------ */

function cartesian(spec, c, f, base) {
  const lying = spec.kind === 'hbar';
  const bars = spec.kind === 'bar' || lying;
  const labels = categoryAxis(spec, c);
  const values = valueAxis(spec, c, f);
  if (lying) { labels.inverse = true; labels.axisLine = { show: false }; labels.axisLabel = { color: c.text, margin: 10, width: 120, overflow: 'truncate' }; }
  if (!bars) labels.boundaryGap = spec.series.some((row) => row.kind === 'bar');
  const many = spec.series.length > 1;
  return {
    ...base,
    grid: { left: 4, right: lying ? 28 : 14, top: many ? 36 : 12, bottom: 2, containLabel: true },
    tooltip: { ...base.tooltip, trigger: 'axis', axisPointer: { type: bars ? 'shadow' : 'line', lineStyle: { color: c.soft, type: [4, 4] }, shadowStyle: { color: fade(c.strong, 0.05) } } },
    xAxis: lying ? values : labels,
    yAxis: lying ? labels : values,
    series: spec.series.map((row, index) => {
      const colour = roleColour(row, index, c, base.color);
      const kind = row.kind || (bars ? 'bar' : spec.kind);
      const common = { name: row.name, data: row.values, itemStyle: { color: colour }, stack: spec.stacked && row.role !== 'target' ? 'all' : undefined, emphasis: { focus: 'none' }, markLine: index === 0 ? marks(spec, c, f) : undefined };
      if (kind === 'bar') {
        const round = spec.stacked ? 0 : 4;
        return { ...common, type: 'bar', barMaxWidth: lying ? 18 : 44, barGap: '15%', itemStyle: { color: colour, borderRadius: lying ? [0, round, round, 0] : [round, round, 0, 0] }, label: lying && !many ? { show: true, position: 'right', color: c.text, formatter: (p) => f.short(p.value) } : undefined };
      }
      const pale = row.role === 'previous' || row.role === 'target';
      return {
        ...common, type: 'line', smooth: pale ? 0 : 0.3, smoothMonotone: 'x', symbol: 'circle', symbolSize: 7, showSymbol: row.values.length < 2, connectNulls: false,
        lineStyle: { color: colour, width: pale ? 1.5 : 2.25, type: pale ? [5, 4] : 'solid' },
        areaStyle: kind === 'area' && !pale ? { color: { type: 'linear', x: 0, y: 0, x2: 0, y2: 1, colorStops: [{ offset: 0, color: fade(colour, 0.24) }, { offset: 1, color: fade(colour, 0.02) }] } } : undefined,
      };
    }),
  };
}

function donut(spec, c, f, base) {
  const values = spec.series[0].values;
  const total = values.reduce((sum, value) => sum + (value || 0), 0);
  return {
    ...base,
    tooltip: { ...base.tooltip, trigger: 'item', formatter: (p) => `${p.name}\n${f.full(p.value)} · ${p.percent}%` },
    legend: { ...base.legend, show: true, top: 'auto', bottom: 0, left: 'center', right: 'auto', itemWidth: 10, itemHeight: 10, icon: 'roundRect', itemGap: 14 },
    series: [{
      type: 'pie', radius: ['54%', '76%'], center: ['50%', '44%'], padAngle: 1.5, itemStyle: { borderRadius: 4, borderColor: c.surface, borderWidth: 1 },
      label: { show: true, position: 'center', formatter: () => f.short(total), fontSize: 22, fontWeight: 600, color: c.strong }, emphasis: { scaleSize: 4, label: { show: true } },
      data: spec.labels.map((name, i) => ({ name, value: values[i] })),
    }],
  };
}

function funnel(spec, c, f, base) {
  const values = spec.series[0].values;
  const first = values[0] || 1;
  return {
    ...base,
    tooltip: { ...base.tooltip, trigger: 'item', formatter: (p) => `${p.name}\n${f.full(p.value)} · ${new Intl.NumberFormat(language(), { style: 'percent', maximumFractionDigits: 1 }).format(p.value / first)}` },
    legend: { show: false },
    series: [{
      type: 'funnel', sort: 'none', left: 8, right: '34%', top: 6, bottom: 6, gap: 3, minSize: '6%', itemStyle: { borderWidth: 0, borderRadius: 4 },
      label: { position: 'right', color: c.text, formatter: (p) => `${p.name}  ${f.short(p.value)}` }, labelLine: { lineStyle: { color: c.line } },
      data: spec.labels.map((name, i) => ({ name, value: values[i], itemStyle: { color: blend(base.color[0], c.surface, 1 - i * (0.6 / Math.max(1, spec.labels.length - 1))) } })),
    }],
  };
}

function sankey(spec, c, f, base) {
  const names = [...new Set(spec.flows.flatMap(([from, to]) => [from, to]))];
  const targets = new Set(spec.flows.map(([, to]) => to));
  // A name such as "Gold·end" takes the colour of "Gold" on both sides.
  const stems = [...new Set(names.map((name) => name.split('·')[0].trim()))];
  const colour = (name) => base.color[stems.indexOf(name.split('·')[0].trim()) % base.color.length];
  return {
    ...base,
    tooltip: { ...base.tooltip, trigger: 'item', formatter: (p) => (p.dataType === 'edge' ? `${p.data.source} → ${p.data.target}\n${f.full(p.value)}` : `${p.name}\n${f.full(p.value)}`) },
    series: [{
      type: 'sankey', left: 4, right: 96, top: 8, bottom: 8, nodeWidth: 14, nodeGap: 14, draggable: false, layoutIterations: 0,
      lineStyle: { color: 'gradient', opacity: 0.3, curveness: 0.5 }, emphasis: { focus: 'adjacency' },
      label: { color: c.text, fontSize: 12, position: 'right' },
      data: names.map((name) => ({ name, itemStyle: { color: colour(name), borderWidth: 0, borderRadius: 3 }, depth: targets.has(name) ? undefined : 0 })),
      links: spec.flows.map(([source, target, value]) => ({ source, target, value })),
    }],
  };
}

function heatmap(spec, c, f, base) {
  const cells = spec.series.flatMap((row, y) => row.values.map((value, x) => [x, y, value])).filter((cell) => cell[2] !== null && cell[2] !== undefined);
  const top = Math.max(...cells.map((cell) => cell[2]), 0.000001);
  const tone = (value) => blend(base.color[0], c.surface, 0.1 + 0.62 * (value / top));
  return {
    ...base,
    legend: { show: false },
    tooltip: { ...base.tooltip, trigger: 'item', formatter: (p) => `${spec.series[p.value[1]].name} · ${spec.labels[p.value[0]]}\n${f.full(p.value[2])}` },
    grid: { left: 4, right: 4, top: 4, bottom: 2, containLabel: true },
    xAxis: { ...categoryAxis(spec, c), axisLine: { show: false }, splitArea: { show: false } },
    yAxis: { type: 'category', data: spec.series.map((row) => row.name), inverse: true, axisTick: { show: false }, axisLine: { show: false }, axisLabel: { color: c.soft, margin: 10 } },
    series: [{
      type: 'heatmap', emphasis: { itemStyle: { borderColor: c.strong } },
      data: cells.map((value) => { const colour = tone(value[2]); return { value, itemStyle: { color: colour, borderColor: c.surface, borderWidth: 2, borderRadius: 5 }, label: { show: true, color: inkOn(colour), fontSize: 11, formatter: (p) => f.short(p.value[2]) } }; }),
    }],
  };
}

function scatter(spec, c, f, base) {
  const [xName, yName] = spec.axes || ['', ''];
  const axis = (name) => ({ type: 'value', name, nameLocation: 'middle', nameGap: 28, nameTextStyle: { color: c.soft }, axisLabel: { color: c.soft }, splitLine: { lineStyle: { color: c.line, type: [3, 3] } }, axisLine: { show: false } });
  return {
    ...base,
    legend: { show: false },
    tooltip: { ...base.tooltip, trigger: 'item', formatter: (p) => `${p.data[2]}\n${xName} ${f.full(p.data[0])}\n${yName} ${f.full(p.data[1])}` },
    grid: { left: 24, right: 24, top: 16, bottom: 28, containLabel: true },
    xAxis: axis(xName), yAxis: { ...axis(yName), nameGap: 36 },
    series: [{ type: 'scatter', symbolSize: 14, data: spec.points.map(([name, x, y]) => [x, y, name]), itemStyle: { color: fade(base.color[0], 0.75), borderColor: base.color[0] }, label: { show: spec.points.length <= 24, position: 'top', color: c.text, fontSize: 11, formatter: (p) => p.data[2] } }],
  };
}

function gauge(spec, c, f, base) {
  const value = spec.series[0].values[0];
  const maximum = spec.maximum || 1;
  const colour = roleColour(spec.series[0], 0, c, base.color);
  return {
    ...base,
    tooltip: { show: false },
    series: [{
      type: 'gauge', startAngle: 205, endAngle: -25, min: 0, max: maximum, radius: '92%', center: ['50%', '58%'],
      progress: { show: true, width: 14, roundCap: true, itemStyle: { color: colour } }, axisLine: { roundCap: true, lineStyle: { width: 14, color: [[1, fade(c.strong, 0.09)]] } },
      pointer: { show: false }, axisTick: { show: false }, splitLine: { show: false }, axisLabel: { show: false },
      title: { show: true, offsetCenter: [0, '26%'], color: c.soft, fontSize: 12 },
      detail: { offsetCenter: [0, '-4%'], formatter: () => f.full(value), color: c.strong, fontSize: 26, fontWeight: 600 },
      data: [{ value, name: spec.series[0].name }],
    }],
  };
}

function radar(spec, c, f, base) {
  const top = spec.maximum || Math.max(...spec.series.flatMap((row) => row.values).map((value) => value || 0), 0.000001);
  return {
    ...base,
    tooltip: { ...base.tooltip, trigger: 'item' },
    legend: { ...base.legend, top: 'auto', bottom: 0, left: 'center', right: 'auto' },
    radar: { radius: '60%', center: ['50%', '52%'], indicator: spec.labels.map((name) => ({ name, max: top })), axisName: { color: c.text }, splitArea: { show: false }, splitLine: { lineStyle: { color: c.line } }, axisLine: { lineStyle: { color: c.line } } },
    series: [{ type: 'radar', data: spec.series.map((row, i) => { const colour = roleColour(row, i, c, base.color); const pale = row.role === 'previous'; return { name: row.name, value: row.values, lineStyle: { color: colour, width: 2, type: pale ? [5, 4] : 'solid' }, itemStyle: { color: colour }, areaStyle: pale ? undefined : { color: fade(colour, 0.15) } }; }) }],
  };
}

const KINDS = { line: cartesian, area: cartesian, bar: cartesian, hbar: cartesian, donut, funnel, sankey, heatmap, scatter, gauge, radar };

/* ---- Life of a chart -------------------------------------------------------------------------------- */

function render(element) {
  const spec = JSON.parse(element.dataset.chart);
  const colours = palette();
  const figures = formats(spec);
  const build = KINDS[spec.kind];
  if (!build) throw new Error(`unknown kind of chart: ${spec.kind}`);
  let chart = live.get(element);
  if (!chart) {
    element.replaceChildren();
    chart = init(element, null, { renderer: 'svg', locale: 'EN' });
    live.set(element, chart);
    watcher.observe(element);
  }
  chart.setOption(build(spec, colours, figures, frame(spec, colours, figures)), true);
}

const watcher = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const chart = live.get(target);
    if (!chart) continue;
    if (target.isConnected) chart.resize();
    else dispose(target);
  }
});

export function draw(within) {
  for (const element of live.keys()) if (!element.isConnected) dispose(element);
  for (const element of within.querySelectorAll('[data-chart]')) if (!live.has(element)) render(element);
}

export function dispose(element) {
  const chart = live.get(element);
  if (!chart) return;
  watcher.unobserve(element);
  chart.dispose();
  live.delete(element);
}

document.addEventListener('theme:changed', () => { for (const element of live.keys()) render(element); });

/* Paper is white: draw in light colours at once, and go back afterwards. */
const root = document.documentElement;
let before = null;

function redraw() {
  for (const [element, chart] of live) { chart.resize(); render(element); chart.getZr().flush(); }
}

window.addEventListener('beforeprint', () => {
  printing = true;
  before = root.getAttribute('data-bs-theme');
  root.setAttribute('data-bs-theme', 'light');
  redraw();
});
window.addEventListener('afterprint', () => {
  if (before === null) root.removeAttribute('data-bs-theme');
  else root.setAttribute('data-bs-theme', before);
  printing = false;
  redraw();
});
