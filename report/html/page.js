
// The page is whole without this. It adds a search for words, buttons for all
// boxes, a count of what is shown, and opens what a link leads into.
(function () {
	"use strict";
	var findings = Array.prototype.slice.call(document.querySelectorAll(".f"));
	var boxes = Array.prototype.slice.call(document.querySelectorAll(".filter [type=checkbox]"));
	var rules = boxes.filter(function (b) { return /^show-[A-Z]/.test(b.id); });
	var words = document.getElementById("words");
	var text = new Map(), many = new Map();
	findings.forEach(function (f) { many.set(f, 1 + f.querySelectorAll(".spots > li").length); });
	function sum(list) { return list.reduce(function (n, f) { return n + many.get(f); }, 0); }

	function update() {
		var want = words.value.toLowerCase().split(/\s+/).filter(Boolean);
		findings.forEach(function (f) {
			if (want.length && !text.has(f)) {
				text.set(f, f.textContent.toLowerCase());
			}
			f.hidden = !want.every(function (w) { return text.get(f).indexOf(w) >= 0; });
		});
		var off = boxes.filter(function (b) { return !b.checked; }).map(function (b) { return b.id.slice(5); });
		var shown = sum(findings.filter(function (f) {
			return !f.hidden && !off.some(function (o) { return f.classList.contains(o) || f.classList.contains("r-" + o); });
		}));
		document.getElementById("count").textContent = shown === sum(findings) ? "" : shown + " of " + sum(findings) + " shown";
	}

	function reveal() {
		var to = document.getElementById(decodeURIComponent(location.hash.slice(1)));
		if (!to) {
			return;
		}
		to.hidden = false;
		var inside = to.querySelector(":scope > details");
		if (inside) {
			inside.open = true;
		}
		for (var e = to; e; e = e.parentElement) {
			if (e.tagName === "DETAILS") {
				e.open = true;
			}
		}
		to.scrollIntoView();
	}

	if (words) {
		document.querySelector(".filter .js").hidden = false;
		words.addEventListener("input", update);
		boxes.forEach(function (b) { b.addEventListener("change", update); });
		document.getElementById("none").addEventListener("click", function () {
			rules.forEach(function (b) { b.checked = false; });
			update();
		});
		document.getElementById("all").addEventListener("click", function () {
			boxes.forEach(function (b) { b.checked = true; });
			words.value = "";
			update();
		});
		update();
	}
	window.addEventListener("hashchange", reveal);
	reveal();
	window.addEventListener("beforeprint", function () {
		document.querySelectorAll("details").forEach(function (d) { d.open = true; });
	});
})();
