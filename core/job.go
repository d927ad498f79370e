package core

import (
	"github.com/ecor-clip/ecor/core/errs"
	"github.com/ecor-clip/ecor/core/explain"
	"github.com/ecor-clip/ecor/core/kernel"
)

// A job is a classification or an embedding under way.
type job struct {
	steps []stage // what is still to do, first to last
	o     Options
	texts []string // to embed

	embedding []float32 // (projection) of the photo, or (texts, projection)
	ev        explain.Evidence
	uncovered float32
}

// A stage is a part of a job. It runs one step a call and reports where it is;
// done means that the next stage may begin.
type stage func(c *Classifier, j *job) (p Progress, done bool, err error)

// ClassifyBegin starts the classification of the photo that arrived last, or
// of Options.Embedding.
func (c *Classifier) ClassifyBegin(o Options) error {
	if c.labels == nil {
		return errs.WrongState("classify: there is no label set")
	}
	if !o.Method.Valid() {
		return errs.New("classify: unknown method ", int(o.Method))
	}
	if !(o.Coverage >= 0 && o.Coverage <= 1) {
		return errs.New("classify: coverage ", o.Coverage, " is outside 0..1")
	}
	if o.Top < 0 || o.TopRationales < 0 || o.MaxRationales < 0 {
		return errs.New("classify: a negative number of categories or rationales")
	}
	setDefault(&o.Top, DefaultTop)
	setDefault(&o.TopRationales, DefaultTopRationales)
	setDefault(&o.MaxRationales, DefaultMaxRationales)
	setDefault(&o.Coverage, DefaultCoverage)

	j := &job{o: o}
	if len(o.Embedding) > 0 {
		if len(o.Embedding) != c.model.ProjectionDim {
			return errs.New("classify: an embedding of ", len(o.Embedding), " values, want ", c.model.ProjectionDim)
		}
		for _, v := range o.Embedding {
			if v-v != 0 {
				return errs.New("classify: the embedding holds a value that is not finite")
			}
		}
		j.embedding = append([]float32(nil), o.Embedding...)
	} else {
		if err := c.takeImage(); err != nil {
			return err
		}
		j.steps = append(j.steps, embedImage())
	}
	if o.Method.NeedsCategories() {
		j.steps = append(j.steps, encodePrompts(&c.categories))
	}
	if o.Method.NeedsRationales() {
		j.steps = append(j.steps, encodePrompts(&c.rationales))
	}
	j.steps = append(j.steps, scoreStage1)
	if o.Method.NeedsTable() {
		j.steps = append(j.steps, encodeTable())
	}
	j.steps = append(j.steps, conclude)
	c.begin(j)
	return nil
}

// EmbedImageBegin starts the embedding of the photo that arrived last.
func (c *Classifier) EmbedImageBegin() error {
	if err := c.takeImage(); err != nil {
		return err
	}
	c.begin(&job{steps: []stage{embedImage(), keepEmbedding}})
	return nil
}

// MaxEmbedTexts is the most texts that one job embeds.
const MaxEmbedTexts = 4096

// EmbedTextsBegin starts the embedding of texts, as they are, without a
// template. Texts that begin alike and stand near each other are faster: they
// share the work of their common beginning.
func (c *Classifier) EmbedTextsBegin(texts []string) error {
	if c.model == nil {
		return errs.WrongState("embed: no weights are loaded")
	}
	if n := len(texts); n < 1 || n > MaxEmbedTexts {
		return errs.OverLimit("embed: ", n, " texts, want 1..", MaxEmbedTexts)
	}
	for _, text := range texts {
		if len(text) > explain.MaxLabelBytes*2 {
			return errs.OverLimit("embed: a text of ", len(text), " bytes, at most ", explain.MaxLabelBytes*2)
		}
	}
	c.begin(&job{steps: []stage{embedTexts(), keepEmbedding}, texts: texts})
	return nil
}

func (c *Classifier) begin(j *job) { c.job, c.answer, c.embedding = j, nil, nil }

func setDefault[T int | float32](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// takeImage turns the photo that arrived into planes.
func (c *Classifier) takeImage() error {
	if !c.pending {
		return errs.WrongState("image: no photo has arrived")
	}
	c.pending = false
	return c.resizer.Finish(c.planes)
}

// Step runs a part of the current job and tells how far it is. When the phase
// is PhaseDone the result can be read. After an error the job is gone.
func (c *Classifier) Step() (Progress, error) {
	j := c.job
	if j == nil {
		return Progress{}, errs.WrongState("step: there is no job")
	}
	p, done, err := j.steps[0](c, j)
	if err != nil {
		c.job = nil
		return Progress{}, err
	}
	if done {
		j.steps = j.steps[1:]
	}
	if len(j.steps) == 0 {
		c.job = nil
		return Progress{Phase: PhaseDone}, nil
	}
	return p, nil
}

func embedImage() stage {
	begun, layers := false, 0
	return func(c *Classifier, j *job) (Progress, bool, error) {
		if !begun {
			begun = true
			if err := c.images.Begin(c.planes); err != nil {
				return Progress{}, false, err
			}
		}
		done := false
		for n := c.images.StepsAtOnce(); n > 0 && !done; n-- {
			done = c.images.Step()
			layers++
		}
		if done {
			j.embedding = append([]float32(nil), c.images.Embedding()...)
		}
		return Progress{PhaseImage, layers, c.images.Steps()}, done, nil
	}
}

func embedTexts() stage {
	var batch *textBatch
	return func(c *Classifier, j *job) (Progress, bool, error) {
		n := len(j.texts)
		if batch == nil {
			j.embedding = make([]float32, n*c.model.ProjectionDim)
			batch = newTextBatch(n, 1, j.embedding, func(i, _ int) string { return j.texts[i] })
		}
		err := batch.step(c)
		return Progress{PhaseStage1, batch.finished, n}, batch.done(), err
	}
}

// encodePrompts encodes the labels that have no embedding yet.
func encodePrompts(p *prompts) stage {
	var batch *textBatch
	var missing []int
	var rows []float32
	return func(c *Classifier, j *job) (Progress, bool, error) {
		if batch == nil {
			missing = p.missing()
			rows = make([]float32, len(missing)*p.dim)
			batch = newTextBatch(len(missing), len(p.templates), rows, func(i, t int) string {
				return p.prompt(p.templates[t], p.labels[missing[i]])
			})
		}
		before := batch.finished
		if !batch.done() {
			if err := batch.step(c); err != nil {
				return Progress{}, false, err
			}
		}
		for i := before; i < batch.finished; i++ {
			p.set(missing[i], rows[i*p.dim:(i+1)*p.dim])
		}
		return Progress{PhaseStage1, batch.finished, len(missing)}, batch.done(), nil
	}
}

func scoreStage1(c *Classifier, j *job) (Progress, bool, error) {
	scale := c.model.LogitScale
	if j.o.Method.NeedsCategories() {
		j.ev.Categories = make([]float32, len(c.labels.Categories))
		logits(j.ev.Categories, c.categories.rows, j.embedding, scale)
	}
	if j.o.Method.NeedsRationales() {
		j.ev.Rationales = make([]float32, len(c.labels.Rationales))
		logits(j.ev.Rationales, c.rationales.rows, j.embedding, scale)
	}
	if j.o.Method.NeedsTable() {
		p := append([]float32(nil), j.ev.Rationales...)
		explain.Softmax(p)
		j.ev.Kept, j.uncovered = explain.Keep(p, j.o.Coverage, j.o.MaxRationales)
		j.ev.Conditional = make([]float32, len(j.ev.Kept)*len(c.labels.Categories))
	}
	return Progress{PhaseStage1, 1, 1}, true, nil
}

// encodeTable encodes and scores the conditional prompts, one kept rationale
// after the other.
func encodeTable() stage {
	next := 0
	var batch *textBatch
	var rows []float32
	return func(c *Classifier, j *job) (Progress, bool, error) {
		l := c.labels
		n := len(l.Categories)
		rationale := l.Rationales[j.ev.Kept[next]]
		if batch == nil {
			rows = c.table.get(rationale)
		}
		if rows == nil {
			rows = c.table.room(n * c.model.ProjectionDim)
			batch = newTextBatch(n, len(l.Conditional), rows, func(i, t int) string {
				return explain.ConditionalPrompt(l.Conditional[t], l.Categories[i], rationale)
			})
		}
		if batch != nil {
			if err := batch.step(c); err != nil {
				return Progress{}, false, err
			}
			if !batch.done() {
				return Progress{PhaseStage2, next, len(j.ev.Kept)}, false, nil
			}
			c.table.put(rationale, rows)
		}
		logits(j.ev.Conditional[next*n:(next+1)*n], rows, j.embedding, c.model.LogitScale)
		batch, rows = nil, nil
		next++
		return Progress{PhaseStage2, next, len(j.ev.Kept)}, next == len(j.ev.Kept), nil
	}
}

func keepEmbedding(c *Classifier, j *job) (Progress, bool, error) {
	c.embedding = j.embedding
	return Progress{Phase: PhaseDone}, true, nil
}

func conclude(c *Classifier, j *job) (Progress, bool, error) {
	l := c.labels
	t := explain.Combine(j.o.Method, l, &j.ev)
	a := &Answer{Method: j.o.Method, Kept: len(j.ev.Kept), Uncovered: j.uncovered}
	for _, s := range t.TopCategories(j.o.Top) {
		score := CategoryScore{Category: l.Categories[s.Index], Probability: s.P}
		for _, r := range t.TopRationales(s.Index, j.o.TopRationales) {
			score.Rationales = append(score.Rationales, RationaleScore{l.Rationales[r.Index], r.P})
		}
		a.Categories = append(a.Categories, score)
	}
	c.answer = a
	return keepEmbedding(c, j)
}

// textBatch encodes labels in several templates, a run of the text encoder
// after the other, and writes the renormalised mean over the templates.
type textBatch struct {
	labels, templates int
	dst               []float32 // (labels, dim)
	text              func(label, template int) string

	finished int // labels whose embedding is complete
	next     int // next text to add: label·templates + template
	first    int // first text of the run under way
	running  bool
	ids      []int32
}

func newTextBatch(labels, templates int, dst []float32, text func(label, template int) string) *textBatch {
	clear(dst)
	return &textBatch{labels: labels, templates: templates, dst: dst, text: text}
}

func (b *textBatch) done() bool { return b.finished == b.labels }

// step runs one layer over the texts of the current run.
func (b *textBatch) step(c *Classifier) error {
	e := c.texts
	if !b.running {
		e.Reset()
		b.first = b.next
		for b.next < b.labels*b.templates {
			text := b.text(b.next/b.templates, b.next%b.templates)
			var err error
			b.ids, _, err = c.model.Tokenizer.Encode(b.ids[:0], text, c.model.ContextLength)
			if err != nil {
				return err
			}
			ok, err := e.Add(b.ids)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			b.next++
		}
		e.Begin()
		b.running = true
	}
	if !e.Step() {
		return nil
	}
	b.running = false
	d := c.model.ProjectionDim
	for i := range e.Len() {
		label := (b.first + i) / b.templates
		row := b.dst[label*d : (label+1)*d]
		if b.templates == 1 {
			copy(row, e.Embedding(i))
		} else {
			kernel.Add(row, e.Embedding(i))
			if (b.first+i)%b.templates == b.templates-1 {
				kernel.Normalize(row)
			}
		}
	}
	b.finished = b.next / b.templates
	return nil
}
