package test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPage(t *testing.T) {
	p := newPage(t)
	p.view(1200, 900, "light")
	p.open(tinySite(t).URL)
	p.save("start")
	p.choose(threePhotos(t)...)
	p.save("desktop")
	var answers []string
	p.eval(`[...document.querySelectorAll(".because")].map((e) => e.textContent)`, &answers)
	assert.Len(t, answers, 3)
	p.eval(`document.querySelector(".card details").open = true; document.querySelector("#labels").open = true; ""`, nil)
	p.save("open")
	p.view(360, 740, "light")
	p.save("phone")
	p.view(1200, 900, "dark")
	p.save("dark")
	assert.Empty(t, p.complaints())
	t.Log(browser.proxy.take())
}
