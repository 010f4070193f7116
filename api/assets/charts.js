// Draws the charts of a page from the data blocks beside them. Without this
// file each page still has its tables.
(function () {
  'use strict';
  const lang = document.documentElement.lang === 'en' ? 'en-GB' : 'fr-FR';
  const drawn = [];
  const narrowest = 560;

  function css(name) { return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim(); }
  function number(v, digits) {
    if (v === null || v === undefined || Number.isNaN(v)) return '–';
    const a = Math.abs(v);
    const d = digits !== undefined ? digits : a >= 100 || v === Math.trunc(v) ? 0 : a >= 10 ? 1 : 2;
    return new Intl.NumberFormat(lang, { maximumFractionDigits: d }).format(v).replace('-', '\u2212');
  }
  // Instants come as the wall clock of Paris written as if it were UTC, so
  // that days begin at the port's midnight wherever the reader sits.
  function date(t, options) { return new Intl.DateTimeFormat(lang, Object.assign({ timeZone: 'UTC' }, options)).format(new Date(t)); }
  function tick(t) {
    const d = new Date(t);
    if (d.getUTCHours() !== 0) return date(t, { hour: '2-digit', minute: '2-digit' });
    return date(t, { day: 'numeric', month: 'short' });
  }
  function monthTick(t) {
    const d = new Date(t);
    return d.getUTCMonth() === 0 ? String(d.getUTCFullYear()) : date(t, { month: 'short' });
  }
  // Marks that people count in: hours, days, Mondays, months, quarters. At most
  // so many that their words do not touch.
  function ticks(from, to, width) {
    const day = 864e5, span = (to - from) / day, most = Math.max(3, Math.floor(width / 90));
    const at = [], d = new Date(from);
    let label = tick;
    if (span <= 3) {
      const step = [1, 2, 3, 6, 12, 24].find(function (h) { return span * 24 / h <= most; }) || 24;
      for (let t = Math.ceil(from / (step * 36e5)) * step * 36e5; t <= to; t += step * 36e5) at.push(t);
    } else if (span <= 100) {
      const days = span <= most ? 1 : 7 * Math.ceil(span / 7 / most);
      let t = Math.ceil(from / day) * day;
      while (days > 1 && new Date(t).getUTCDay() !== 1) t += day;
      for (; t <= to; t += days * day) at.push(t);
    } else {
      const step = [1, 2, 3, 6, 12].find(function (m) { return span / 30.4 / m <= Math.floor(width / 52); }) || 12;
      for (let y = d.getUTCFullYear(), m = 0; Date.UTC(y, m, 1) <= to; m += step) if (Date.UTC(y, m, 1) >= from) at.push(Date.UTC(y, m, 1));
      label = monthTick;
    }
    return { at: at, label: label };
  }
  function colour(name) { return css(name) || css('ink'); }
  function fade(hex, alpha) {
    const n = parseInt(hex.slice(1), 16);
    return 'rgba(' + (n >> 16) + ',' + ((n >> 8) & 255) + ',' + (n & 255) + ',' + alpha + ')';
  }
  function text(extra) { return Object.assign({ color: css('soft'), fontSize: 12, fontFamily: getComputedStyle(document.body).fontFamily }, extra); }
  function axis(extra) {
    return Object.assign({
      axisLine: { lineStyle: { color: css('rule') } }, axisTick: { lineStyle: { color: css('rule') } },
      axisLabel: text(), nameTextStyle: text({ align: 'left' }), splitLine: { lineStyle: { color: css('hair') } }
    }, extra);
  }
  function base(c) {
    return {
      animation: false, useUTC: true, textStyle: text(), aria: { enabled: false },
      tooltip: { renderMode: 'richText', confine: true, backgroundColor: css('paper'), borderColor: css('rule'), textStyle: text({ color: css('ink') }) }
    };
  }
  function valueAxis(c, extra) {
    return axis(Object.assign({ type: 'value', name: c.unit, nameGap: 12, scale: !c.zero, axisLabel: text({ formatter: function (v) { return number(v); } }) }, extra));
  }
  function withUnit(c, v) { return number(v) + (c.unit ? '\u00a0' + (c.short || c.unit) : ''); }
  function events(c) {
    return {
      symbol: 'none', silent: true, lineStyle: { color: css('soft'), type: 'dashed', width: 1 },
      label: text({ formatter: function (p) { return p.name; }, position: 'insideEndTop', color: css('ink') }),
      data: (c.events || []).map(function (e) { return { name: e.label, xAxis: e.at, label: { position: 'end', distance: 4 } }; }).concat(
        (c.levels || []).map(function (e) { return { name: e.label, yAxis: e.at }; }))
    };
  }

  // Room above a chart for its legend, which breaks into rows on a narrow screen.
  function legendRoom(c, width) {
    const length = c.series.reduce(function (sum, s) { return sum + s.name.length * 6.6 + 36; }, 0);
    return 46 + 20 * Math.min(c.series.length, Math.ceil(length / width));
  }
  function endsTouch(c) {
    let low = c.zero ? 0 : Infinity, high = -Infinity;
    const ends = c.series.map(function (s) {
      let last = null;
      s.points.forEach(function (p) { if (p[1] !== null) { last = p[1]; low = Math.min(low, last); high = Math.max(high, last); } });
      return last;
    });
    return ends.some(function (a, i) { return ends.some(function (b, j) { return j > i && Math.abs(a - b) < 0.07 * (high - low); }); });
  }

  function time(c, width) {
    const roomy = width > narrowest;
    const o = base(c);
    const longest = Math.max.apply(null, c.series.map(function (s) { return s.name.length; }).concat([0]));
    const many = c.series.length > 1;
    // Words at the ends of lines, or a legend where these would touch.
    const named = many && roomy && !endsTouch(c);
    o.grid = { left: 8, right: named ? Math.min(220, 16 + longest * 6.4) : 16, top: many && !named ? legendRoom(c, width) : 36, bottom: 8, containLabel: true };
    if (many && !named) o.legend = { top: 0, left: 0, textStyle: text(), icon: 'rect', itemWidth: 16, itemHeight: 3, data: c.series.map(function (s) { return s.name; }) };
    const numeric = c.axis === 'number';
    const xs = [].concat.apply([], c.series.map(function (s) { return s.points.map(function (p) { return p[0]; }); }));
    const from = c.from || Math.min.apply(null, xs), to = c.to || Math.max.apply(null, xs);
    const marks = numeric ? null : ticks(from, to, width - o.grid.left - o.grid.right);
    o.xAxis = axis({ type: numeric ? 'value' : 'time', min: numeric ? c.from : from, max: numeric ? c.to : to, splitLine: { show: false }, name: c.xunit || '', nameLocation: 'middle', nameGap: 28,
      axisTick: { lineStyle: { color: css('rule') }, customValues: numeric ? undefined : marks.at },
      axisLabel: text({ hideOverlap: true, customValues: numeric ? undefined : marks.at, formatter: numeric ? function (v) { return number(v); } : marks.label }) });
    o.yAxis = valueAxis(c);
    if (c.xunit) o.grid.bottom = 24;
    o.series = [];
    c.series.forEach(function (s, i) {
      const col = colour(s.colour);
      if (s.band) {
        // Two stacked lines: the foot, invisible, and the width of the interval.
        const stack = 'band' + i;
        const quiet = { type: 'line', stack: stack, stackStrategy: 'all', symbol: 'none', silent: true, lineStyle: { width: 0 }, tooltip: { show: false }, emphasis: { disabled: true } };
        o.series.push(Object.assign({ data: s.band.map(function (b) { return [b[0], b[1]]; }) }, quiet));
        o.series.push(Object.assign({ data: s.band.map(function (b) { return [b[0], b[1] === null ? null : b[2] - b[1]]; }), areaStyle: { color: fade(col, 0.18) } }, quiet));
      }
      const line = {
        name: s.name, type: s.shape === 'bar' ? 'bar' : 'line', data: s.points, connectNulls: false, showSymbol: s.points.length < 3, symbolSize: 5,
        step: s.shape === 'step' ? 'end' : s.shape === 'stair' ? 'start' : false, color: col, itemStyle: { color: col }, emphasis: { disabled: true },
        lineStyle: { color: col, width: s.dashed ? 1.5 : 1.75, type: s.dashed ? 'dashed' : 'solid' }, barMaxWidth: 14
      };
      if (named && line.type === 'line') line.endLabel = text({ show: true, formatter: '{a}', color: col, distance: 6 });
      if (s.area) line.areaStyle = { color: fade(col, 0.15) };
      if (i === 0) line.markLine = events(c);
      o.series.push(line);
    });
    o.tooltip.trigger = 'axis';
    o.tooltip.formatter = function (ps) {
      ps = ps.filter(function (p) { return p.seriesName && p.seriesName.indexOf('series') !== 0; });
      if (!ps.length) return '';
      const x = ps[0].value[0];
      const head = c.axis === 'number' ? number(x) + '\u00a0' + (c.xunit || '') : date(x, c.hours ? { dateStyle: 'medium', timeStyle: 'short' } : { dateStyle: 'medium' });
      return head + '\n' + ps.map(function (p) { return p.seriesName + lang_colon + withUnit(c, p.value[1]); }).join('\n');
    };
    return o;
  }
  const lang_colon = lang === 'fr-FR' ? '\u202f: ' : ': ';

  function bars(c, width) {
    const o = base(c);
    o.grid = { left: 8, right: 16, top: c.series.length > 1 ? legendRoom(c, width) : 36, bottom: 8, containLabel: true };
    if (c.series.length > 1) o.legend = { top: 0, left: 0, textStyle: text(), itemWidth: 12, itemHeight: 12 };
    o.xAxis = axis({ type: 'category', data: c.categories, splitLine: { show: false }, axisLabel: text({ hideOverlap: true, interval: width > narrowest ? 0 : 'auto' }) });
    o.yAxis = valueAxis(c, { scale: false });
    o.series = c.series.map(function (s) {
      const col = colour(s.colour);
      return { name: s.name, type: 'bar', stack: c.stacked ? 'all' : undefined, data: s.values, color: fade(col, s.strength || 1), itemStyle: { color: fade(col, s.strength || 1) }, barMaxWidth: 48, emphasis: { disabled: true } };
    });
    o.tooltip.trigger = 'axis';
    o.tooltip.formatter = function (ps) { return ps[0].axisValueLabel + '\n' + ps.map(function (p) { return p.seriesName + lang_colon + withUnit(c, p.value); }).join('\n'); };
    return o;
  }

  function sankey(c, width) {
    const o = base(c);
    const roomy = width > narrowest;
    const cut = roomy ? 160 : Math.floor(width / 2) - 24;
    o.series = [{
      type: 'sankey', left: 4, right: 4, top: 8, bottom: 8, nodeWidth: 10, nodeGap: 18, draggable: false, emphasis: { disabled: true }, layoutIterations: 64, nodeAlign: 'justify',
      lineStyle: { curveness: 0.5, opacity: 0.45 }, itemStyle: { color: css('soft'), borderWidth: 0 },
      label: text({ color: css('ink'), textBorderColor: css('paper'), textBorderWidth: 3, width: cut, overflow: roomy ? 'break' : 'truncate', lineHeight: 14, fontSize: roomy ? 12 : 11 }),
      data: c.nodes.map(function (n) { return { name: n.id, depth: n.depth, label: { position: n.depth === 0 ? 'right' : 'left', formatter: function () { return n.name; } } }; }),
      links: c.links.map(function (l) { return { source: l.source, target: l.target, value: l.weight, amount: l.label, lineStyle: { color: colour(l.colour) } }; })
    }];
    const names = {};
    c.nodes.forEach(function (n) { names[n.id] = n.name; });
    o.tooltip.formatter = function (p) { return p.dataType === 'edge' ? names[p.data.source] + ' → ' + names[p.data.target] + '\n' + p.data.amount : names[p.name]; };
    return o;
  }

  function heatmap(c) {
    const o = base(c);
    o.grid = { left: 8, right: 16, top: 8, bottom: 56, containLabel: true };
    o.xAxis = axis({ type: 'category', data: c.columns, splitLine: { show: false }, axisLabel: text({ hideOverlap: true }) });
    o.yAxis = axis({ type: 'category', data: c.rows, inverse: true, splitLine: { show: false }, axisLabel: text({ interval: c.rows.length > 12 ? 2 : 0 }) });
    const vs = c.cells.map(function (x) { return x[2]; });
    o.visualMap = { min: Math.min(0, Math.min.apply(null, vs)), max: Math.max.apply(null, vs) || 1, orient: 'horizontal', left: 'center', bottom: 0, itemHeight: 120, itemWidth: 10, calculable: false,
      inRange: { color: [fade(colour(c.colour), 0.06), colour(c.colour)] }, textStyle: text(), formatter: function (v) { return withUnit(c, v); }, text: [withUnit(c, Math.max.apply(null, vs)), withUnit(c, Math.min(0, Math.min.apply(null, vs)))] };
    o.series = [{ type: 'heatmap', data: c.cells, emphasis: { disabled: true }, itemStyle: { borderWidth: 0 } }];
    o.tooltip.formatter = function (p) { return c.columns[p.value[0]] + ', ' + c.rows[p.value[1]] + '\n' + withUnit(c, p.value[2]); };
    return o;
  }

  const kinds = { time: time, bars: bars, sankey: sankey, heatmap: heatmap };

  function draw(item) {
    item.chart.setOption(kinds[item.model.kind](item.model, item.box.clientWidth), true);
  }
  function redraw() { drawn.forEach(function (i) { i.chart.resize(); draw(i); }); }

  document.querySelectorAll('.chart').forEach(function (box) {
    const block = document.getElementById(box.id + '-data');
    if (!block || !window.echarts) return;
    const model = JSON.parse(block.textContent);
    box.textContent = '';
    const item = { box: box, model: model, chart: echarts.init(box, null, { renderer: 'svg' }) };
    drawn.push(item);
    draw(item);
  });
  let pending = 0;
  window.addEventListener('resize', function () { cancelAnimationFrame(pending); pending = requestAnimationFrame(redraw); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  window.addEventListener('beforeprint', redraw);
  window.addEventListener('afterprint', redraw);
}());
