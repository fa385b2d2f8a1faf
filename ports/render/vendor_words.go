package render

func englishVendor() vendorWords {
	return vendorWords{
		ours: "Not on the page", oursLead: "These rows are Reeve's own: directions that the page leaves open, and what Reeve dials besides.",
		function: "function name", service: "service name", port: "port number", windows: "automatic addition to services: Windows", unix: "automatic addition to services: UNIX",
		source: "source", destination: "destination", remarks: "remarks", ends: "source and destination (the same)",
		addition:    "Automatic addition to the services file at installation. Y: it is added; N: it is not.",
		application: "application",
		sequence:    "Sequence", number: "no.", who: "who", from: "port of the page", step: "step", reading: "our reading",
		ranges: "Ports to open", what: "what",
		programs: "Services", program: "service (program)", does: "what it does", gui: "needed for GUI communication", backup: "needed for backup server communication", set: "how it is set",
		needed: "yes", notNeeded: "no",
		management: "Management service", value: "value", first: "default protocol and port", optional: "optional protocol and port",
		callback: "callback port range, default", callbackOptional: "callback port range, optional, as printed (nothing is opened)", withTLS: "SSL", plain: "non-SSL",
		daemons: "Daemon ports", daemon: "daemon", fixed: "fixed port", was: "was", services: "Services ports", offset: "port offset",
		instancePort: "port for instance %d", containers: "Container ports", neighbours: "Ports of neighbours",
	}
}

func germanVendor() vendorWords {
	return vendorWords{
		ours: "Nicht auf der Seite", oursLead: "Diese Zeilen stammen von Reeve: Richtungen, die die Seite offen lässt, und was Reeve außerdem anwählt.",
		function: "Funktionsname", service: "Dienstname", port: "Portnummer", windows: "automatischer Eintrag in services: Windows", unix: "automatischer Eintrag in services: UNIX",
		source: "Quelle", destination: "Ziel", remarks: "Bemerkungen", ends: "Quelle und Ziel (derselbe Rechner)",
		addition:    "Automatischer Eintrag in die Services-Datei bei der Installation. J: wird eingetragen; N: wird nicht eingetragen.",
		application: "Anwendung",
		sequence:    "Ablauf", number: "Nr.", who: "wer", from: "Port laut Seite", step: "Schritt", reading: "unsere Lesart",
		ranges: "Zu öffnende Ports", what: "was",
		programs: "Dienste", program: "Dienst (Programm)", does: "Aufgabe", gui: "nötig für GUI-Kommunikation", backup: "nötig für Backup-Server-Kommunikation", set: "wie einzustellen",
		needed: "ja", notNeeded: "nein",
		management: "Management-Dienst", value: "Wert", first: "Standardprotokoll und -port", optional: "optionales Protokoll und optionaler Port",
		callback: "Rückruf-Portbereich, Standard", callbackOptional: "Rückruf-Portbereich, optional, wie gedruckt (nichts wird geöffnet)", withTLS: "SSL", plain: "ohne SSL",
		daemons: "Daemon-Ports", daemon: "Daemon", fixed: "fester Port", was: "früher", services: "Ports der Dienste", offset: "Port-Offset",
		instancePort: "Port für Instanz %d", containers: "Container-Ports", neighbours: "Ports von Nachbarn",
	}
}

func japaneseVendor() vendorWords {
	return vendorWords{
		ours: "出典ページにない項目", oursLead: "以下はReeve独自の項目です。出典ページに記載のない通信方向と、Reeveが別途接続する相手を示します。",
		function: "機能名", service: "サービス名", port: "ポート番号", windows: "servicesファイルへの自動追加 Windows", unix: "servicesファイルへの自動追加 UNIX",
		source: "送信元", destination: "送信先", remarks: "備考", ends: "送信元および送信先 (同一)",
		addition:    "インストール時のservicesファイルへの自動追加。○: 追加される、×: 追加されない。",
		application: "アプリケーション",
		sequence:    "シーケンス", number: "番号", who: "主体", from: "ページ上のポート", step: "手順", reading: "本計画での解釈",
		ranges: "開放するポート", what: "対象",
		programs: "サービス一覧", program: "サービス (プログラム)", does: "機能", gui: "GUI通信に必要", backup: "バックアップサーバ通信に必要", set: "設定方法",
		needed: "はい", notNeeded: "いいえ",
		management: "管理サービス", value: "項目", first: "既定のプロトコルとポート", optional: "任意のプロトコルとポート",
		callback: "コールバックポート範囲 (既定)", callbackOptional: "コールバックポート範囲 (任意、印刷のまま。何も開放しない)", withTLS: "SSL", plain: "非SSL",
		daemons: "デーモンのポート", daemon: "デーモン", fixed: "固定ポート", was: "旧番号", services: "サービスのポート", offset: "ポートオフセット",
		instancePort: "インスタンス %d のポート", containers: "コンテナのポート", neighbours: "他製品のポート",
	}
}
