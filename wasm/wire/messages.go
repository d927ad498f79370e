package wire

// Append implements Message.
func (m *WeightsBegin) Append(b []byte) []byte { return appendU64(b, m.Size) }

// Decode implements Message.
func (m *WeightsBegin) Decode(b []byte) error {
	r := reader{b: b}
	m.Size = r.u64()
	return r.end()
}

// Append implements Message.
func (m *ModelInfo) Append(b []byte) []byte {
	b = appendStr(b, m.Name)
	b = appendStr(b, m.Scheme)
	b = appendStr(b, m.License)
	b = appendStr(b, m.SourceSHA256)
	b = appendStr(b, m.Kernel)
	b = appendU32(b, m.ImageSize)
	b = appendU32(b, m.ContextLength)
	b = appendU32(b, m.ProjectionDim)
	b = appendU64(b, m.Parameters)
	b = appendF32(b, m.LogitScale)
	return m.Templates.append(b)
}

// Decode implements Message.
func (m *ModelInfo) Decode(b []byte) error {
	r := reader{b: b}
	m.Name = r.str()
	m.Scheme = r.str()
	m.License = r.str()
	m.SourceSHA256 = r.str()
	m.Kernel = r.str()
	m.ImageSize = r.u32()
	m.ContextLength = r.u32()
	m.ProjectionDim = r.u32()
	m.Parameters = r.u64()
	m.LogitScale = r.f32()
	m.Templates.read(&r)
	return r.end()
}

func (t *Templates) append(b []byte) []byte {
	b = appendStrs(b, t.Category)
	b = appendStrs(b, t.Rationale)
	return appendStrs(b, t.Conditional)
}

func (t *Templates) read(r *reader) {
	t.Category = r.strs()
	t.Rationale = r.strs()
	t.Conditional = r.strs()
}

// Append implements Message.
func (m *LabelSet) Append(b []byte) []byte {
	b = m.Templates.append(b)
	b = appendU32(b, uint32(len(m.Categories)))
	for _, c := range m.Categories {
		b = appendStr(b, c.Name)
		b = appendStrs(b, c.Rationales)
	}
	return appendBool(appendU32(b, m.CacheBytes), m.Checked)
}

// Decode implements Message.
func (m *LabelSet) Decode(b []byte) error {
	r := reader{b: b}
	m.Templates.read(&r)
	m.Categories = nil
	for range r.count(8) {
		m.Categories = append(m.Categories, Category{Name: r.str(), Rationales: r.strs()})
		if r.err != nil {
			break
		}
	}
	m.CacheBytes = r.u32()
	m.Checked = r.bool()
	return r.end()
}

// Append implements Message.
func (m *LabelsInfo) Append(b []byte) []byte {
	b = appendU32(b, m.Categories)
	b = appendU32(b, m.Rationales)
	return appendStrs(b, m.Warnings)
}

// Decode implements Message.
func (m *LabelsInfo) Decode(b []byte) error {
	r := reader{b: b}
	m.Categories = r.u32()
	m.Rationales = r.u32()
	m.Warnings = r.strs()
	return r.end()
}

// Append implements Message.
func (m *Seed) Append(b []byte) []byte {
	b = append(b, byte(m.Kind))
	b = appendU32(b, m.First)
	b = appendU32(b, m.Dim)
	return appendF32s(b, m.Data)
}

// Decode implements Message.
func (m *Seed) Decode(b []byte) error {
	r := reader{b: b}
	m.Kind = SeedKind(r.u8())
	m.First = r.u32()
	m.Dim = r.u32()
	m.Data = r.f32s()
	return r.end()
}

// Append implements Message.
func (m *ImageBegin) Append(b []byte) []byte {
	return appendU32(appendU32(b, m.Width), m.Height)
}

// Decode implements Message.
func (m *ImageBegin) Decode(b []byte) error {
	r := reader{b: b}
	m.Width = r.u32()
	m.Height = r.u32()
	return r.end()
}

// Append implements Message.
func (m *ClassifyOptions) Append(b []byte) []byte {
	b = append(b, byte(m.Method))
	b = appendU32(b, m.Top)
	b = appendU32(b, m.TopRationales)
	b = appendF32(b, m.Coverage)
	b = appendU32(b, m.MaxRationales)
	return appendF32s(b, m.Embedding)
}

// Decode implements Message.
func (m *ClassifyOptions) Decode(b []byte) error {
	r := reader{b: b}
	m.Method = Method(r.u8())
	m.Top = r.u32()
	m.TopRationales = r.u32()
	m.Coverage = r.f32()
	m.MaxRationales = r.u32()
	m.Embedding = r.f32s()
	return r.end()
}

// Append implements Message.
func (m *EmbedBegin) Append(b []byte) []byte { return appendStr(b, m.Text) }

// Decode implements Message.
func (m *EmbedBegin) Decode(b []byte) error {
	r := reader{b: b}
	m.Text = r.str()
	return r.end()
}

// Append implements Message.
func (m *EmbedTexts) Append(b []byte) []byte { return appendStrs(b, m.Texts) }

// Decode implements Message.
func (m *EmbedTexts) Decode(b []byte) error {
	r := reader{b: b}
	m.Texts = r.strs()
	return r.end()
}

// Append implements Message.
func (m *Progress) Append(b []byte) []byte {
	b = append(b, byte(m.Phase))
	b = appendU32(b, m.Done)
	return appendU32(b, m.Total)
}

// Decode implements Message.
func (m *Progress) Decode(b []byte) error {
	r := reader{b: b}
	m.Phase = Phase(r.u8())
	m.Done = r.u32()
	m.Total = r.u32()
	return r.end()
}

// Append implements Message.
func (m *Answer) Append(b []byte) []byte {
	b = append(b, byte(m.Method))
	b = appendU32(b, m.Kept)
	b = appendF32(b, m.Uncovered)
	b = appendU32(b, uint32(len(m.Categories)))
	for _, c := range m.Categories {
		b = appendStr(b, c.Category)
		b = appendF32(b, c.Probability)
		b = appendU32(b, uint32(len(c.Rationales)))
		for _, s := range c.Rationales {
			b = appendStr(b, s.Rationale)
			b = appendF32(b, s.Joint)
		}
	}
	return appendF32s(b, m.ImageEmbedding)
}

// Decode implements Message.
func (m *Answer) Decode(b []byte) error {
	r := reader{b: b}
	m.Method = Method(r.u8())
	m.Kept = r.u32()
	m.Uncovered = r.f32()
	m.Categories = nil
	for range r.count(12) {
		c := CategoryScore{Category: r.str(), Probability: r.f32()}
		for range r.count(8) {
			c.Rationales = append(c.Rationales, RationaleScore{Rationale: r.str(), Joint: r.f32()})
		}
		if r.err != nil {
			break
		}
		m.Categories = append(m.Categories, c)
	}
	m.ImageEmbedding = r.f32s()
	return r.end()
}

// Append implements Message.
func (m *Embedding) Append(b []byte) []byte { return appendF32s(b, m.Values) }

// Decode implements Message.
func (m *Embedding) Decode(b []byte) error {
	r := reader{b: b}
	m.Values = r.f32s()
	return r.end()
}
